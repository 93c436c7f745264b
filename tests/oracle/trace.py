"""What a run of a training script did, in order, and what it left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import torch
from torch import Tensor


class What(str, Enum):
    """What a mark stands for."""

    PASS = "a pass over the data begins"
    LOSS = "the criterion is evaluated"
    BACKWARD = "backward"
    ZERO = "gradients are gone"
    RESCALE = "gradients were multiplied"
    CLIP = "clip"
    UNSCALE = "unscale"
    STEP = "optimizer step"
    SCALER_UPDATE = "scaler update"
    SCHEDULE = "scheduler step"
    AVERAGE = "average of the weights"
    REPORT = "loss report"
    SAVE = "the weights are saved"
    NOISE = "noise for the gradients is drawn"
    TOLD = "a whole number is told"


@dataclass(frozen=True)
class Mark:
    """One thing that happened.

    `micro` counts criterion evaluations so far; `optimizer` is the number of the optimizer concerned, by the order in
    which they were built. `factors` are, for a backward pass, what the gradient of each term of the loss was multiplied by,
    without the scaler's part; `scaled` says that a GradScaler scaled the loss (backward), that the gradients were still
    scaled (clip), or that the step came through the scaler (step); `reduced` that DDP averaged the gradients; `normalised` that
    a BatchNorm took its statistics from the micro-batch (backward); `targets` is how many targets the cross entropy counted, and
    `summed` that it is their sum and not their mean (backward);
    `value` is a factor, a reported number, or the length that a schedule was built for; `label` what the number is called.
    A backward pass through several micro-batches at once is one mark for each of them.
    """

    what: What
    micro: int
    optimizer: int = 0
    factors: tuple[tuple[str, float], ...] = ()
    scaled: bool = False
    reduced: bool = False
    normalised: bool = False
    targets: int = 0
    summed: bool = False
    value: float = 0.0
    label: str = ""


@dataclass
class Trace:
    """What one run did, and what it left behind."""

    marks: list[Mark] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # the mean loss of each micro-batch, by the order of evaluation
    weights: Tensor = field(default_factory=lambda: torch.zeros(0))
    average: Tensor | None = None
    coupled: bool = False  # an Adam without decoupled weight decay made steps
    toggled: bool = False  # synchronisation was switched off at some time
    within: bool = False  # and a forward pass ran where it was
    overrun: bool = False  # a schedule was stepped past its end, which PyTorch refuses
    error: str = ""

    def of(self, *what: What) -> list[Mark]:
        """The marks of some kinds, in order."""
        return [mark for mark in self.marks if mark.what in what]
