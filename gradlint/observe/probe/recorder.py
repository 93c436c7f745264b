"""Records what a run does to its gradients and weights, until enough of it was seen."""

from __future__ import annotations

import json
import math
import os
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from .frames import Spot, passed_through, place
from .limits import Limits

Fields = dict[str, Any]
MOST = 20_000
"""The maximum number of records between two updates."""
_NEXT = ("draw", "pass", "backward")
"""What begins another micro-batch."""
KEPT = 2
"""How many windows are kept until the end of the pass is seen, once the first ones were recorded."""


class Recorder:
    """The record of one process.

    While the first windows are recorded, the gradients are measured. Then only the last windows are kept, without numbers, until
    a pass over the data ends. The file is made when the process trains for the first time, so workers leave none.
    """

    def __init__(self, limits: Limits, finish: Callable[[], None]) -> None:
        self.limits = limits
        self.finish = finish
        self.optimizers: list[weakref.ref[Any]] = []
        self.states: dict[int, tuple[tuple[tuple[int, int] | None, ...], float]] = {}
        self.process = os.getpid()
        self.waiting: list[Fields] = []
        """What was recorded before the process trained, or since the last update."""
        self.kept: list[list[Fields]] = []
        self.trains = False
        self.windows = 0
        self.ended = False
        """Whether a pass over the data has ended since the first windows."""
        self.over = False
        self.done = False
        """Whether enough was seen, except for what still belongs to the last update."""
        self.factor: float | None = None
        """What a scaler multiplied the next loss by; None if none did."""
        self.stepping: set[int] = set()
        self.quiet: set[int] = set()
        """The optimizers that a scaler steps just now."""
        self.places: OrderedDict[int, list[Spot]] = OrderedDict()
        """Where the latest nodes of graphs of losses were made, by the number of the node."""
        self.reduction: Callable[[], Fields | None] = lambda: None
        """What is known about the average over processes in a backward pass."""
        self.dropped = False

    @property
    def measures(self) -> bool:
        """Whether the gradients are measured."""
        return self.windows < self.limits.windows

    # Records

    def note(self, what: str, *, at: list[Spot] | None = None, **fields: Any) -> None:
        """Record something. What happens before training, and after the first windows, may never be written."""
        if self.over or os.getpid() != self.process:
            return
        if self.done and what in _NEXT:
            self.end()
            return
        fields.update(what=what, at=place() if at is None else at, seq=_sequence())
        self.waiting.append(fields)
        if len(self.waiting) > MOST:
            if self.trains:
                self.end()
            else:
                del self.waiting[: MOST // 2]

    def closes(self) -> None:
        """Record that a window is closed, or that the observation is."""
        if not self.trains or self.over:
            return
        self.windows += 1
        if self.windows <= self.limits.windows or self.ended:
            self.write()
        else:
            self.kept.append(self.waiting)
            self.waiting = []
            if len(self.kept) > KEPT:
                self.kept.pop(0)
                self.dropped = True
        self.done = self.windows >= self.limits.windows and (not self.limits.to_tail or self.ended)

    def pass_ends(self) -> None:
        """Record that a pass over the data has ended."""
        self.ended = self.trains

    def write(self) -> None:
        """Append to the file what was kept."""
        if os.getpid() != self.process or not self.trains:
            return
        path = Path(self.limits.folder) / f"{os.environ.get('RANK', '0')}-{self.process}.jsonl"
        if not path.exists():
            self._line(path, [self._header()])
        gap: list[Fields] = [{"what": "gap", "at": [], "seq": 0}] if self.dropped else []
        self._line(path, [*gap, *(each for part in (*self.kept, self.waiting) for each in part)])
        self.kept, self.waiting, self.dropped = [], [], False

    def _header(self) -> Fields:
        return {
            "what": "begin",
            "rank": int(os.environ.get("RANK", "0")),
            "processes": int(os.environ.get("WORLD_SIZE", "1")),
            "torch": str(torch.__version__),
        }

    @staticmethod
    def _line(path: Path, records: list[Fields]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(each)}\n" for each in records)

    def leave(self) -> None:
        """Write what is left when the process ends."""
        if not self.over and self.trains and os.getpid() == self.process:
            self.look()
            self.note("exit", at=[])
            self.write()

    def end(self) -> None:
        """Stop observing."""
        self.waiting.append({"what": "enough", "at": [], "seq": 0})
        self.write()
        self.over = True
        self.finish()
        if self.limits.stop:
            raise SystemExit(0)

    # Optimizers

    def number(self, optimizer: Any) -> int:
        """The number of an optimizer, in the order in which they are met."""
        for index, each in enumerate(self.optimizers):
            if each() is optimizer:
                return index
        self.optimizers.append(weakref.ref(optimizer))
        return len(self.optimizers) - 1

    def known(self) -> Iterator[tuple[int, Any]]:
        """The optimizers that still exist, with their numbers."""
        for index, each in enumerate(self.optimizers):
            optimizer = each()
            if optimizer is not None:
                yield index, optimizer

    def owners(self, tensors: Iterable[Any]) -> list[int]:
        """The optimizers that some of these tensors belong to."""
        given = {id(each) for each in tensors}
        return [index for index, each in self.known() if any(id(p) in given for p in parameters(each))]

    # Gradients

    def look(self) -> None:
        """Record what happened to the gradients since the last look: they are gone, or were multiplied."""
        if self.over or not self.trains:
            return
        for index, optimizer in self.known():
            before, norm = self.states.get(index, ((), 0.0))
            now = signature(optimizer)
            if now == before:
                continue
            size = self.norm(optimizer)
            if any(each is not None for each in before) and (size == 0.0 if self.measures else not any(now)):
                if norm or not self.measures:
                    self.note("zero", at=place(), optimizer=index, unseen=True)
            elif norm and self.measures and index not in self.quiet and abs(size / norm - 1) > 1e-6:
                self.note("rescale", at=place(), optimizer=index, value=size / norm, unseen=True)
            self.states[index] = now, size

    def keep(self) -> None:
        """Take the gradients as they are now for known."""
        for index, optimizer in self.known():
            before = self.states.get(index)
            now = signature(optimizer)
            if before is None or before[0] != now:
                self.states[index] = now, self.norm(optimizer)

    def norm(self, optimizer: Any) -> float:
        """The norm of an optimizer's gradients, while they are measured; else 0."""
        if not self.measures:
            return 0.0
        with torch.no_grad():
            found = [p.grad.detach() for p in parameters(optimizer) if p.grad is not None]
            squares = [float((each.coalesce().values() if each.is_sparse else each).double().square().sum()) for each in found]
        return math.sqrt(sum(squares))

    def path(self) -> list[str]:
        """The packages between the user's file and the current call."""
        return passed_through()


def parameters(optimizer: Any) -> list[Any]:
    """The weights that an optimizer steps."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def signature(optimizer: Any) -> tuple[tuple[int, int] | None, ...]:
    """What changes if the gradients do: each gradient and its version."""
    return tuple((id(p.grad), p.grad._version) if p.grad is not None else None for p in parameters(optimizer))


def _sequence() -> int:
    """The number that the next node of an autograd graph gets."""
    return int(torch._C._autograd._get_sequence_nr())
