"""The model that rules judge: training loops, their events, cadences, boundaries and loss scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import libcst as cst

from gradlint.model.data.built import Construction as Construction
from gradlint.model.data.built import Schedule as Schedule
from gradlint.model.data.event import OUT_OF_SIGHT as OUT_OF_SIGHT
from gradlint.model.data.event import Cadence as Cadence
from gradlint.model.data.event import Event as Event
from gradlint.model.data.event import Kind as Kind
from gradlint.model.data.losses import Division as Division
from gradlint.model.data.losses import LossScale as LossScale
from gradlint.model.data.losses import Scale as Scale
from gradlint.model.data.losses import TokenMean as TokenMean
from gradlint.model.data.window import Boundary as Boundary
from gradlint.model.data.window import Engine as Engine
from gradlint.model.data.window import Pass as Pass
from gradlint.model.data.window import Phase as Phase
from gradlint.model.data.window import Steps as Steps
from gradlint.model.names.facts import Facts
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.model.syntax.expressions import walk
from gradlint.model.syntax.paths import Guard as Guard
from gradlint.model.syntax.paths import Path as Path
from gradlint.model.syntax.paths import exclusive as exclusive


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
    parallel_on_an_arm: bool = False
    sharded: bool = False
    sync_toggled: bool = False
    engine_steps: Steps | None = None
    schedules: tuple[tuple[Event, Schedule], ...] = ()
    steps_vary: bool = False
    steps_may_be_absent: bool = False
    """N may be 0 or None where the backward passes run, and is no divisor there."""
    grads_rescaled: bool = False
    grads_gathered: bool = False
    """The window is summed outside of `.grad`, which holds one micro-batch at a time."""
    rate_divided: bool = False
    flushed_after: bool = False
    flush_misses: bool = False
    carried: bool | None = None
    words: Taught = UNTAUGHT
    boundary_told: bool = False
    facts: Facts = field(default_factory=Facts)

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
        step = next((step for step in steps if self.holds(step)), None)
        return None if step is None or self._takes_turns(step, event) else step

    def _takes_turns(self, step: Event, event: Event) -> bool:
        """Step and event are of one arm, and the other arm steps another optimizer: each has its turn, and none a window."""
        own = {guard.group: guard.arm for guard in step.path if guard.kind == "branch"}
        shared = {guard.group for guard in event.path if own.get(guard.group) == guard.arm}
        return any(
            None not in (other.target, step.target)
            and other.target != step.target
            and any(guard.group in shared and guard.arm != own[guard.group] for guard in other.path)
            for other in self.all(Kind.OPTIMIZER_STEP)
        )

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
