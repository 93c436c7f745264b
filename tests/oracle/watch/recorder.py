"""What is known of a run while it lasts, and the trace that is made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from ..laboratory import Average, flat
from ..trace import Mark, Trace, What

_FRACTION = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")


class Recorder:
    """The trace of one run, and what the parts of the watch tell each other.

    `factor` is what a scaler multiplied the next loss by; `unscaled` says, by the number of the optimizer, whether its
    gradients are as large as the loss made them; `in_scaler` that a scaler is stepping; `reductions` counts how often DDP
    averaged gradients, `normalisations` how often a BatchNorm took its statistics from a batch that is trained on. `clipping`
    says that PyTorch's own clip is at work, `expecting` that what happens next to the gradients is known under another name
    than a rescaling, and `frozen` that the weights stay as they are.
    """

    def __init__(self, *, frozen: bool = False) -> None:
        self.frozen = frozen
        self.clipping = False
        self.expecting = False
        self.trace = Trace()
        self.optimizers: list[Optimizer] = []
        self.models: list[nn.Module] = []
        self.averages: list[AveragedModel | Average] = []
        self.factor = 1.0
        self.unscaled: dict[int, bool] = {}
        self.in_scaler = False
        self.reductions = 0
        self.normalisations = 0
        self.norms: dict[int, float] = {}

    def note(self, what: What, **more: Any) -> None:
        self.trace.marks.append(Mark(what, **{"micro": len(self.trace.losses), **more}))

    def look(self) -> None:
        """Note what happened to the gradients since the last look: gone, or multiplied."""
        for number, optimizer in enumerate(self.optimizers):
            now, before = _norm(optimizer), self.norms.get(number, 0.0)
            if before and not now:
                self.note(What.ZERO, optimizer=number)
            elif before and not self.expecting and abs(now / before - 1) > 1e-9:
                self.note(What.RESCALE, optimizer=number, value=now / before)
            self.norms[number] = now
        self.expecting = False

    def keep(self) -> None:
        """Take the gradients as they are now for known."""
        for number, optimizer in enumerate(self.optimizers):
            self.norms[number] = _norm(optimizer)

    def looked(self, what: What) -> None:
        """Look, and then note."""
        self.look()
        self.note(what)

    def numbers(self, parameters: Iterable[Tensor]) -> list[int]:
        """The optimizers that any of some parameters belong to."""
        given = {id(p) for p in parameters}
        return [k for k, each in enumerate(self.optimizers) if any(id(p) in given for p in _parameters(each))]

    def printed(self, *values: object, **_: object) -> None:
        """What stands in for `print` in the script."""
        label = values[0] if values and isinstance(values[0], str) else ""
        for value in values:
            self.told(value, label)

    def told(self, value: object, label: str = "") -> None:
        """A number is told, or a text with numbers in it. What was done before it stands before it in the trace."""
        self.look()
        if isinstance(value, float):
            self.note(What.REPORT, value=value, label=label)
        elif isinstance(value, int) and not isinstance(value, bool):
            self.note(What.TOLD, value=value, label=label)
        elif isinstance(value, str):
            for number in _FRACTION.findall(value):
                self.note(What.REPORT, value=float(number), label=value.split()[0])

    def finish(self) -> None:
        """Add to the trace what the run left behind, and what no later mark has looked at."""
        self.look()
        if self.models:
            self.trace.weights = flat(self.models[0].parameters())
        for average in self.averages[:1]:
            self.trace.average = flat(average.module.parameters() if isinstance(average, AveragedModel) else average.shadow)


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _norm(optimizer: Optimizer) -> float:
    return float(sum(float(p.grad.detach().square().sum()) for p in _parameters(optimizer) if p.grad is not None)) ** 0.5
