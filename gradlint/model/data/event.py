"""What happens in a training loop: kinds of events, how often they happen, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import libcst as cst

from gradlint.model.data.losses import LossScale, TokenMean
from gradlint.model.data.window import Boundary, Engine
from gradlint.model.syntax.paths import Path


class Kind(str, Enum):
    """What an event does to training."""

    BACKWARD = "backward"
    OPTIMIZER_STEP = "optimizer step"
    ZERO_GRAD = "zero_grad"
    CLIP = "clip"
    UNSCALE = "unscale"
    SCALER_UPDATE = "scaler update"
    SCHEDULER_STEP = "scheduler step"
    EMA_UPDATE = "ema update"
    GRAD_SCALE = "gradient scaling"
    NO_SYNC = "no_sync"
    REPORT = "loss report"


class Cadence(str, Enum):
    """How often an event runs, measured against the backward pass."""

    PER_MICRO_BATCH = "per micro-batch"
    INSIDE_WINDOW = "inside window"
    PER_UPDATE = "per update"
    PER_EPOCH = "per epoch"
    ONCE = "once"
    UNKNOWN = "unknown"


OUT_OF_SIGHT = "something out of sight"
"""What a backward pass runs through where another file has it, and only that it belongs to the loop is known."""


@dataclass(frozen=True, eq=False)
class Event:
    """A call that matters to training.

    `statement` is the line it makes up alone, or None where it is part of something larger (no anchor for a fix).
    `target` names the optimizer it acts on, where that is known, or what no optimizer of the loop steps;
    `loss` is the expression that is backpropagated.
    `details` are what few rules ask.
    """

    kind: Kind
    node: cst.CSTNode
    source: str
    path: Path
    index: int
    cadence: Cadence
    details: Details
    statement: cst.CSTNode | None = None
    target: str | None = None
    through: str | None = None
    loss: cst.BaseExpression | None = None
    scale: LossScale | None = None
    boundary: Boundary | None = None
    scaled: bool | None = None
    conditional: bool = False
    suite: cst.CSTNode | None = None
    engine: Engine = Engine.NONE
    receiver: cst.BaseExpression | None = None
    args: tuple[cst.Arg, ...] = ()
    owner: str | None = None
    prepared: bool | None = None
    frame: object = None


class Details(Protocol):
    """What few rules ask of an event; each answer is worked out when it is asked for."""

    @property
    def torch_built(self) -> bool:
        """Of a step: whether the constructor of what steps is in sight, and is PyTorch's (or a known library's)."""

    @property
    def built_for(self) -> str | None:
        """Of an optimizer's step: the first name in what it was built from, `model` of `AdamW(model.parameters())`."""

    @property
    def built_by(self) -> str | None:
        """Of an optimizer's step: the class of PyTorch's optimizer, where its one constructor is in sight."""

    @property
    def builders(self) -> tuple[cst.Call, ...]:
        """Of a scheduler's step: every call that may have built the scheduler."""

    @property
    def steps_anew(self) -> bool:
        """Of an optimizer's step: whether each iteration makes the model that it steps, whose gradients are new as well."""

    @property
    def told_scale(self) -> bool:
        """Of a clip: whether a GradScaler's factor is part of its threshold."""

    @property
    def handed_around(self) -> bool:
        """Of an optimizer's step: whether the optimizer, or its scaler, is an argument of a call whose body is not in sight."""

    @property
    def zeroed_out_of_sight(self) -> bool:
        """Of an optimizer's step: whether a method is called whose body is not in sight and whose name says that it zeroes gradients."""

    @property
    def token_mean(self) -> TokenMean | None:
        """Of a backward pass: the mean over tokens, of which some are masked, that its loss holds."""

    @property
    def loss_index(self) -> int | None:
        """Of a backward pass: when the name that is backpropagated got its value, where a call computed it."""

    @property
    def restored(self) -> bool:
        """Of a report: whether the divided loss is multiplied by N again, or summed over exactly one window."""
