"""The model that rules judge: training loops, their events, cadences, boundaries and loss scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol

import libcst as cst

from gradlint.model.built import Construction as Construction
from gradlint.model.built import Schedule as Schedule
from gradlint.model.facts import Facts
from gradlint.model.losses import Division as Division
from gradlint.model.losses import LossScale as LossScale
from gradlint.model.losses import Scale as Scale
from gradlint.model.losses import TokenMean as TokenMean
from gradlint.model.paths import Guard as Guard
from gradlint.model.paths import Path as Path
from gradlint.model.paths import exclusive as exclusive
from gradlint.model.syntax import walk
from gradlint.model.vocabulary import UNTAUGHT, Taught
from gradlint.model.window import Boundary as Boundary
from gradlint.model.window import Engine as Engine
from gradlint.model.window import Pass as Pass
from gradlint.model.window import Phase as Phase
from gradlint.model.window import Steps as Steps


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

    def more_often_than(self, other: Cadence) -> bool:
        """True only where both are known; UNKNOWN is neither more nor less often than anything."""
        if Cadence.UNKNOWN in (self, other):
            return False
        return _PACE[self] > _PACE[other]


_PACE = {
    Cadence.PER_MICRO_BATCH: 3,
    Cadence.INSIDE_WINDOW: 3,
    Cadence.PER_UPDATE: 2,
    Cadence.PER_EPOCH: 1,
    Cadence.ONCE: 0,
}

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


@dataclass(frozen=True, eq=False)
class TrainingLoop:
    """One micro-batch body: the loop (or loopless function) that runs once per backward pass."""

    node: cst.CSTNode
    function: str
    events: tuple[Event, ...]
    guard: Guard | None
    steps: Steps | None
    boundary: Boundary | None
    engine: Engine
    walks: Pass
    parallel: str | None = None
    sharded: bool = False
    sync_toggled: bool = False
    engine_steps: Steps | None = None
    schedules: tuple[tuple[Event, Schedule], ...] = ()
    steps_vary: bool = False
    steps_may_be_absent: bool = False
    """N may be 0 or None where the backward passes run, and is no divisor there."""
    grads_rescaled: bool = False
    rate_divided: bool = False
    flushed_after: bool = False
    flush_misses: bool = False
    carried: bool | None = None
    words: Taught = UNTAUGHT
    boundary_told: bool = False

    def all(self, kind: Kind) -> Iterator[Event]:
        """The loop's events of a kind, in the order in which they run."""
        return (event for event in self.events if event.kind is kind)

    def first(self, kind: Kind) -> Event | None:
        """The first event of a kind."""
        return next(self.all(kind), None)

    @property
    def shows_backward(self) -> bool:
        """False where the training's backward pass is in another file, so that its place among the other events is not known."""
        return all(backward.through != OUT_OF_SIGHT for backward in self.all(Kind.BACKWARD))

    def update_for(self, event: Event) -> Event | None:
        """The optimizer step that closes the window which the event belongs to.

        None where the loop does not accumulate, or where the steps that can follow the event disagree about it.
        """
        steps = [
            step
            for step in self.all(Kind.OPTIMIZER_STEP)
            if _same_target(step, event) and (_closes(step, event) or not exclusive(step.path, event.path))
        ]
        if not steps or any(step.cadence is not Cadence.PER_UPDATE for step in steps if self.holds(step)):
            return None
        return next((step for step in steps if self.holds(step)), None)

    def wipes_window(self, zero: Event) -> bool:
        """The gradients are zeroed at the boundary, before the last backward pass of the window, which alone is left to the step."""
        step = self.update_for(zero)
        if step is None or step.boundary is None or zero.boundary is None or zero.conditional or zero.cadence is not step.cadence:
            return False
        # A flag that both ask has one answer; else both must be known to say yes on the last micro-batch.
        last = zero.boundary.phase is Phase.LAST and step.boundary.phase is Phase.LAST
        if not (last or zero.boundary.test is step.boundary.test):
            return False
        near = [b.index for b in self.all(Kind.BACKWARD) if not exclusive(b.path, zero.path) and not exclusive(b.path, step.path)]
        return bool(near) and all(zero.index < index < step.index for index in near)

    def holds(self, event: Event) -> bool:
        """True for events that run inside the micro-batch body or close a window right after it."""
        return event.cadence not in (Cadence.PER_EPOCH, Cadence.ONCE)

    @cached_property
    def tail(self) -> tuple[Event, ...]:
        """The update of the last, partial window where it stands after the loop: a step, and what shares its condition."""
        if self.guard is None or self.walks.windowed:
            return ()
        inside = [event for event in self.events if self.is_inside(event)]
        last = max((event.index for event in inside), default=0)
        after = [event for event in self.events if event.index > last and not self.is_inside(event)]
        targets = {event.target for event in inside if event.kind is Kind.OPTIMIZER_STEP}
        steps = [event for event in after if event.kind is Kind.OPTIMIZER_STEP and event.target in targets]
        gates = {gate for gate in map(self.gate, steps) if gate is not None}
        suites = {id(step.suite) for step in steps if self.gate(step) is None and step.suite is not None}
        return tuple(
            event
            for event in after
            if self.gate(event) in gates or (id(event.suite) in suites and event.kind is not Kind.SCHEDULER_STEP)
        )

    def engine_divides(self, backward: Event) -> str | None:
        """What divides the loss of a backward pass by N on its own, in words; None where nothing does."""
        if backward.through == "lightning, automatically":
            return "Lightning's automatic optimization"
        if backward.through == "accelerator":
            steps = self.engine_steps
            return f"`{backward.source}`" if steps is not None and steps.source is not None and steps.value != 1 else None
        told = any(arg.keyword is not None and arg.keyword.value == "scale_wrt_gas" for arg in backward.args)
        one = self.engine_steps is not None and self.engine_steps.value == 1
        return f"`{backward.source}`" if backward.through == "deepspeed" and not one and not told else None

    def is_inside(self, event: Event) -> bool:
        """True for events of the micro loop's own body."""
        return any(guard is self.guard for guard in event.path)

    @cached_property
    def home(self) -> Path:
        """What the micro loop itself stands under."""
        path = next((event.path for event in self.events if self.is_inside(event)), ())
        return path[: next((place for place, guard in enumerate(path) if guard is self.guard), 0)]

    def gate(self, event: Event) -> tuple[object, int] | None:
        """The outermost condition of an event outside of the micro loop that the loop does not stand under itself."""
        shared = {(guard.group, guard.arm) for guard in self.home}
        own = (guard for guard in event.path if guard.kind == "branch" and (guard.group, guard.arm) not in shared)
        return next(((guard.group, guard.arm) for guard in own), None)

    def update_of(self, event: Event) -> tuple[Event, ...]:
        """The events of the same update: those of the tail for one of the tail, and for the others those of the loop."""
        if any(event is each for each in self.tail):
            return self.tail
        return tuple(each for each in self.events if self.holds(each))

    @property
    def dropped_tail(self) -> Boundary | None:
        """The boundary that a finite pass over the data ends before, where its last, partial window is lost."""
        walks = self.walks
        if not walks.finite or walks.windowed or walks.bounded or self.flushed_after or self.engine is not Engine.NONE:
            return None
        steps = [step for step in self.all(Kind.OPTIMIZER_STEP) if step.boundary is not None]
        if any(step.cadence is not Cadence.PER_UPDATE or (step.boundary and step.boundary.flush) for step in steps):
            return None
        boundary = steps[0].boundary if steps else None
        if boundary is None or boundary.steps.value == 1 or (boundary.modulus is None and boundary.counter is None):
            return None
        # A counter that carries over with its gradients completes the window in the next pass.
        carries = boundary.restarts is None or (boundary.restarts is False and self.carried is not False)
        return None if carries else boundary

    def n_for(self, node: cst.CSTNode) -> str | None:
        """N as it can be written at a node: in the loop's own text its names mean what they mean at the backward call."""
        if self.steps is None or self.steps.source is None or self.steps_may_be_absent:
            return None
        own = self.steps.everywhere or any(each is node for each in walk(self.node))
        return self.steps.source if own else None

    @property
    def n(self) -> str:
        """N as a reader knows it, for messages."""
        if self.steps is not None and self.steps.source:
            return f"`{self.steps.source}`"
        return "N"


@dataclass(frozen=True, eq=False)
class TrainingFile:
    """Everything the rules may ask about one file."""

    loops: tuple[TrainingLoop, ...]
    optimizers: tuple[Construction, ...] = ()
    facts: Facts | None = None
    statements: tuple[cst.BaseStatement, ...] = ()
    imports: tuple[cst.CSTNode, ...] = ()


def _closes(step: Event, event: Event) -> bool:
    """The event runs inside the window on one arm of the boundary test, the step on the other."""
    return event.cadence is Cadence.INSIDE_WINDOW and step.cadence is Cadence.PER_UPDATE


def _same_target(step: Event, event: Event) -> bool:
    return step.target is None or event.target is None or step.target == event.target
