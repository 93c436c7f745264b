"""Turns the record of a run into a trace, so that it is judged, worded and drawn like the trace of a simulated run."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from gradlint.observe.by_hand import by_hand
from gradlint.observe.contents import Gradients
from gradlint.observe.files import Files
from gradlint.observe.ordering import ordered
from gradlint.observe.record import Record, Spot
from gradlint.observe.turns import Turns
from gradlint.simulate.trace import Event, Stepper, Trace, What
from gradlint.simulate.values import OVER_ROWS, Factor, Source

HIDDEN = "PyTorch's graph does not tell what the loss was multiplied by"
_SUMS = 2
"""PyTorch's number for the reduction of a loss to the sum of its rows."""
_ENGINES = {
    "accelerate": "accelerator",
    "lightning": "lightning",
    "pytorch_lightning": "lightning",
    "transformers": "accelerator",
}


@dataclass(eq=False)
class Replay:
    """The state while a record is replayed."""

    files: Files
    turns: Turns
    events: list[Event] = field(default_factory=list)
    optimizers: dict[int, Stepper] = field(default_factory=dict)
    gradients: dict[int, Gradients] = field(default_factory=dict)
    draws: list[int] = field(default_factory=list)
    """The numbers of the graph nodes that came after each batch."""
    micros: dict[Any, int] = field(default_factory=dict)
    places: dict[Any, cst.CSTNode] = field(default_factory=dict)
    """Nodes that stand for what the text does not show: where a loss was computed, or a call of a library."""
    divided: list[tuple[cst.CSTNode, float]] = field(default_factory=list)
    loaders: dict[int, str] = field(default_factory=dict)
    names: dict[tuple[str, int], str] = field(default_factory=dict)

    def of(self, number: int) -> Gradients:
        return self.gradients.setdefault(number, Gradients())

    # Places

    def node(self, spots: Sequence[Spot], otherwise: str) -> cst.CSTNode:
        """The node of the innermost call; one that only stands for it if its file cannot be read."""
        for spot in spots[:1]:
            file = self.files.of(spot[0])
            found = file.node(spot) if file is not None else None
            if found is not None:
                return found
        return self.stand_in(("call", *spots[:1], otherwise), otherwise)

    def stand_in(self, key: Any, name: str) -> cst.CSTNode:
        return self.places.setdefault(key, cst.Name("".join(each if each.isalnum() else "_" for each in name) or "call"))

    def note(self, what: What, record: Record, node: cst.CSTNode | None = None, **more: Any) -> None:
        """Add an event."""
        around = self.turns.around(record)
        stack = tuple(self.node(record.at[index : index + 1], "call") for index in range(len(record.at) - 1, 0, -1))
        self.events.append(
            Event(
                what, node if node is not None else self.node(record.at, what.value), stack, micro=len(self.micros) - 1,
                loops=around.loops, turns=around.turns, rounds=around.rounds, known=len(self.optimizers), **more,
            )
        )  # fmt: skip

    # Events

    def take(self, record: Record) -> None:
        """Replay the next record."""
        act = getattr(self, f"_{record.what.replace(' ', '_')}", None)
        if act is not None:
            act(record)

    def _optimizer(self, record: Record) -> None:
        number = record["optimizer"]
        node = self.node(record.at, "optimizer") if record.at else None
        self.optimizers[number] = Stepper(number, _named(node, record["name"]), node, record["name"], record["rate"], frozenset())

    def _pass(self, record: Record) -> None:
        name = self.loaders.setdefault(record["loader"], f"loader {len(self.loaders) + 1}")
        length = record["sized"]
        value = Factor(float(length)) if length is not None else None
        self.note(What.PASS, record, text=name, sized=length is not None, value=value)

    def _end(self, record: Record) -> None:
        opened = [event.text for event in self.events if event.what is What.PASS]
        self.note(What.END, record, text=opened[-1] if opened else "")

    def _draw(self, record: Record) -> None:
        self.turns.around(record)
        self.draws.append(record.order)

    def _backward(self, record: Record) -> None:
        node = self.node(record.at, "backward")
        place = len(self.events)
        self.note(What.BACKWARD, record, node)
        event = self.events.pop()
        terms = tuple(self._terms(record, event))
        scaled = record["factor"] is not None
        through = self._through(record)
        for number in record["feeds"]:
            self.of(number).add(terms, place, scaled=scaled)
        parallel = record["parallel"] or {}
        self.events.append(
            replace(
                event, terms=terms, scaled=scaled, through=through, feeds=frozenset(record["feeds"]), retains=record["retains"],
                micro=len(self.micros) - 1,
                reduced=bool(parallel.get("reduced", True)), parallel="DistributedDataParallel" if parallel else "",
                forward=self.node(_spots(parallel.get("forward")), "forward") if parallel.get("forward") else None,
                at=self.node(_spots(parallel.get("at")), "no_sync") if parallel.get("at") else None,
            )
        )  # fmt: skip

    def _terms(self, record: Record, event: Event) -> Iterator[tuple[Source, Factor]]:
        counts: Counter[str] = Counter()
        for term in record["terms"]:
            counts[term["name"]] += 1
            key = term["name"], counts[term["name"]] if len(self.draws) else 1
            micro = self._micro(term["order"], event)
            if counts[term["name"]] > 1 and micro != self._micro(record["terms"][0]["order"], event):
                key = term["name"], 1  # the same loss of another micro-batch
            source = Source(micro, self.stand_in(("loss", *key), term["name"]))
            yield source, self._factor(term, record)

    def _micro(self, order: int, event: Event) -> int:
        """The micro-batch of a term: by the batch drawn before it was computed, and by the iteration of its backward pass."""
        drawn = bisect_right(self.draws, order)
        turn = event.turns[-1] if event.turns else ("backward", len(self.events))
        return self.micros.setdefault((drawn, turn), len(self.micros))

    def _factor(self, term: dict[str, Any], record: Record) -> Factor:
        steps = list(term["steps"])
        value = term["factor"]
        scale = record["factor"]
        if scale is not None and value is not None:
            value /= scale
            own = next((each for each in steps if each["by"] == scale and each["way"] > 0), None)
            if own is not None:
                steps.remove(own)
        doubt = HIDDEN if not value or "Compiled" in term["name"] else OVER_ROWS if term.get("sums") else ""
        divisors, by, weights = list[cst.CSTNode](), 1.0, list[float]()
        for step in reversed(steps):
            if step["way"] < 0:
                node = self.node(_spots(step["at"]), "division")
                divisors.append(node)
                by *= step["by"]
                self.divided.append((node, step["by"]))
            else:
                weights.append(step["by"])
        return Factor(value if value is not None else 1.0, doubt=doubt, divisors=tuple(divisors), by=by, weights=tuple(weights))

    def _zero(self, record: Record) -> None:
        own = self.of(record["optimizer"])
        node = by_hand(self.files, record, "zero") if record["unseen"] else None
        through = "parameter" if record["unseen"] else ""
        self.note(What.ZERO, record, node, target=record["optimizer"], terms=own.terms, held=own.held, through=through)
        own.clear()

    def _rescale(self, record: Record) -> None:
        own, factor = self.of(record["optimizer"]), Factor(record["value"])
        node = by_hand(self.files, record, "rescale")
        self.note(What.RESCALE, record, node, target=record["optimizer"], value=factor, terms=own.terms)
        own.rescale(factor)

    def _clip(self, record: Record) -> None:
        own = self.of(record["optimizer"])
        self.note(
            What.CLIP, record, target=record["optimizer"], terms=own.terms, held=own.held, scaled=own.scaled,
            text="torch.nn.utils.clip_grad_norm_",
        )  # fmt: skip

    def _unscale(self, record: Record) -> None:
        own = self.of(record["optimizer"])
        self.note(What.UNSCALE, record, target=record["optimizer"], terms=own.terms, scaled=own.unscaled, again=own.unscaled)
        own.scaled, own.unscaled = False, True

    def _step(self, record: Record) -> None:
        number = record["optimizer"]
        own = self.of(number)
        if number not in self.optimizers:
            self.optimizers[number] = Stepper(number, record["kind"], None, record["kind"], record["rate"], frozenset())
        through = "scaler" if record["scaled"] else self._through(record)
        self.note(
            What.STEP, record, target=number, terms=own.terms, held=own.held, scaled=bool(record["scaled"]), through=through,
            value=None,
        )  # fmt: skip
        own.scaled = False if record["scaled"] else own.scaled

    def _scaler_update(self, record: Record) -> None:
        self.note(What.SCALER_UPDATE, record, text="scaler")
        for each in self.gradients.values():
            each.unscaled = False

    def _schedule(self, record: Record) -> None:
        length = record["length"]
        name = self._name(record["schedule"], "schedule", record)
        target = record["optimizer"] if record["optimizer"] in self.optimizers else -1
        self.note(What.SCHEDULE, record, target=target, text=name, value=Factor(length) if length else None)

    def _average(self, record: Record) -> None:
        self.note(What.AVERAGE, record, text=self._name(record["average"], "average", record))

    def _name(self, key: int, kind: str, record: Record) -> str:
        node = self.node(record.at, kind)
        owner = node.func.value if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else None
        name = owner.value if isinstance(owner, cst.Name) else kind
        return self.names.setdefault((kind, key), name)

    @staticmethod
    def _through(record: Record) -> str:
        return next((_ENGINES[name] for name in record["through"] or () if name in _ENGINES), "")


def _named(node: cst.CSTNode | None, kind: str) -> str:
    del node
    return kind


def _spots(given: Any) -> tuple[Spot, ...]:
    return tuple((each[0], *map(int, each[1:])) for each in given or ())


def replay(records: Iterable[Record], files: Files) -> Trace:
    """The trace of a recorded run. Its N is the number of micro-batches that most updates use."""
    state = Replay(files, Turns(files))
    ended = False
    for record in ordered(list(records)):
        ended = ended or record.what in ("enough", "gap")
        state.take(record)
    n = max(size(state.events), 1)
    return Trace(
        tuple(state.events),
        n=n,
        optimizers=tuple(state.optimizers[number] for number in sorted(state.optimizers)),
        literals=frozenset((n,)) if n > 1 else frozenset(),
        cut=ended,
        divisors={node: (by, by == n) for node, by in state.divided},
    )


def size(events: Sequence[Event]) -> int:
    """The number of micro-batches that are backpropagated for most updates; 0 if there is none."""
    since: dict[int, set[int]] = {}
    sizes: list[int] = []
    for event in events:
        if event.what is What.BACKWARD:
            for number in event.feeds:
                since.setdefault(number, set()).update(event.micros)
        elif event.what is What.STEP:
            sizes.append(len(since.pop(event.target, ())))
    counts = Counter(each for each in sizes if each)
    return max(counts, key=lambda each: (counts[each], each), default=0)
