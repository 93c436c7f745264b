"""GRD204 step-inside-window; the page is rules/GRD204.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability
from gradlint.edits import Delete, Move
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, together, withheld
from gradlint.model.anchors import Anchor, Withheld, beneath_gate, own_condition, piece
from gradlint.model.bystanders import named, settled
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Cadence, Event, Kind, Phase, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    message = f"{scene.here} runs on every micro-batch although accumulation is meant: "
    message += "the optimizer advances N times per window, on partial gradients"
    return Finding(scene.place, message)


@rule(
    "GRD204",
    "step-inside-window",
    "The optimizer steps on every micro-batch of a loop that means to accumulate",
    promise=changing(What.STEP, What.SCALER_UPDATE),
    shown=_shown,
)
def step_inside_window(loop: TrainingLoop) -> Iterator[Finding]:
    for step in loop.all(Kind.OPTIMIZER_STEP):
        if step.cadence is not Cadence.PER_MICRO_BATCH or step.through in ("deepspeed", "wrapper argument"):
            continue
        evidence = _evidence(step, loop)
        if evidence is None:
            continue
        node, why = evidence
        fix, note = _under_guard(step, loop)
        yield Finding(
            at=step.node,
            message=f"`{step.source}` runs on every micro-batch although {why}: "
            "the optimizer advances N times per window, on partial gradients",
            related=((node, "this shows that accumulation is meant"),),
            fix=fix,
            note=note,
        )


def _evidence(step: Event, loop: TrainingLoop) -> tuple[cst.CSTNode, str] | None:
    feeding = _feeding(step, loop)
    if feeding and all(_takes_turns(each, loop) for each in feeding):
        return None
    if _is_of_an_arm(step, loop):
        return None
    for other in loop.all(Kind.OPTIMIZER_STEP):
        if other.cadence is Cadence.PER_UPDATE and other.boundary is not None and not exclusive(other.path, step.path):
            if other.target == step.target and (step.target is not None or text(other.node) == text(step.node)):
                return other.node, "another step closes the window"
    for backward in feeding:
        if backward.scale is None or backward.through == "accelerator":
            continue
        if _has_inner_loop(backward, loop):
            if backward.cadence is Cadence.PER_UPDATE:
                return None
            continue
        division = next((d for d in backward.scale.divisions if d.by_steps and d.value != 1), None)
        if division is not None and not _only_trivial(loop, step):
            return division.node, "the loss is divided by the accumulation steps"
    zeros = [z for z in loop.all(Kind.ZERO_GRAD) if _concerns(z, step)]
    inside = [z for z in zeros if loop.holds(z)]
    if inside and all(z.cadence is Cadence.PER_UPDATE and z.boundary is not None for z in inside):
        if inside[0].boundary is not None and inside[0].boundary.steps.value != 1:
            return inside[0].node, "gradients are zeroed once per window"
    return None


def _has_inner_loop(backward: Event, loop: TrainingLoop) -> bool:
    """A loop around the backward pass alone is a window of its own, whatever it walks."""
    inner = backward.path[next((i + 1 for i, g in enumerate(backward.path) if g is loop.guard), 0) :]
    return any(guard.kind == "loop" for guard in inner)


def _takes_turns(backward: Event, loop: TrainingLoop) -> bool:
    """A window of its own, which runs where the loop's is over: the two never share gradients, and each has its step."""
    over = backward.boundary is not None and backward.boundary.phase in (Phase.FIRST, Phase.UNKNOWN)
    return over and backward.cadence is Cadence.PER_UPDATE and _has_inner_loop(backward, loop)


def _is_of_an_arm(step: Event, loop: TrainingLoop) -> bool:
    """An arm that zeroes, backpropagates and steps by itself: its update is whole, and no part of the window."""
    if not any(guard.kind == "branch" for guard in step.path[next((i for i, g in enumerate(step.path) if g is loop.guard), 0) :]):
        return False
    own = [each for each in loop.events if each.path == step.path and each.index < step.index]
    zeroed = [each.index for each in own if each.kind is Kind.ZERO_GRAD and each.target in (None, step.target)]
    return any(each.kind is Kind.BACKWARD and each.index > index for each in own for index in zeroed)


def _feeding(step: Event, loop: TrainingLoop) -> list[Event]:
    """The backward passes whose gradients the step can meet: those since the step before it, where there are any."""
    possible = [b for b in loop.all(Kind.BACKWARD) if not exclusive(b.path, step.path)]
    earlier = (s.index for s in loop.all(Kind.OPTIMIZER_STEP) if s.index < step.index and not exclusive(s.path, step.path))
    used = max(earlier, default=-1)
    return [b for b in possible if used < b.index < step.index] or possible


def _concerns(zero: Event, step: Event) -> bool:
    """The same optimizer's gradients, and zeroed under a condition that the step does not stand under itself."""
    if exclusive(zero.path, step.path) or (zero.target is not None and zero.target != step.target):
        return False
    arms = {(guard.group, guard.arm) for guard in step.path}
    return any(guard.kind == "branch" and (guard.group, guard.arm) not in arms for guard in zero.path) or zero.boundary is None


def _only_trivial(loop: TrainingLoop, step: Event) -> bool:
    """The loop also has a step at the window's boundary on another arm: the division belongs to that one."""
    return any(
        other.cadence is Cadence.PER_UPDATE and exclusive(other.path, step.path) for other in loop.all(Kind.OPTIMIZER_STEP)
    )


def _under_guard(step: Event, loop: TrainingLoop) -> Outcome:
    unit = piece(step, loop)
    if isinstance(unit, Withheld):
        return withheld(unit.reason)
    if step.through is None and any(backward.scaled for backward in loop.all(Kind.BACKWARD)):
        return withheld("the step has to go through the scaler first")
    others = [s for s in loop.all(Kind.OPTIMIZER_STEP) if s.cadence is Cadence.PER_UPDATE and not exclusive(s.path, step.path)]
    if any(s.target == step.target for s in others):
        return Fix("Remove the step inside the window", (Delete(unit),)), None
    guarded = [e for kind in (Kind.ZERO_GRAD, Kind.SCHEDULER_STEP) for e in loop.all(kind) if _closes_window(e, step)]
    if not guarded:
        return withheld("no boundary guard stands in the loop")
    if own_condition(step, unit, loop, guarded[0]):
        return withheld("it stands under a condition of its own")
    lost = _flushes_nothing(loop)
    if lost is not None:
        return withheld(f"{named(lost, loop)} closes the last window after the loop, where no step would stand")
    later = (e for kind in _FOLLOW for e in loop.all(kind) if _closes_window(e, step))
    first = min(later, key=lambda event: event.index)
    moves: list[Move] = []
    for each in (*together(step, unit, guarded[0], loop), *_updates_with(step, loop)):
        place = settled(step, each, Anchor(beneath_gate(first), after=False), loop)
        if isinstance(place, Withheld):
            return withheld(place.reason)
        moves.append(Move(each, place.statement, place.after))
    boundary = guarded[0].boundary
    whole = loop.flushed_after or loop.walks.finite is False or (boundary is not None and boundary.flush)
    if whole:
        return Fix("Step once per window", tuple(moves)), None
    note = "the fix is not safe: the last, partial window of a pass, which steps today, would be left without a step"
    return Fix("Step once per window", tuple(moves), Applicability.UNSAFE), note


_FOLLOW = (Kind.SCALER_UPDATE, Kind.ZERO_GRAD, Kind.SCHEDULER_STEP, Kind.EMA_UPDATE)
"""What follows the step in an update."""


def _closes_window(event: Event, step: Event) -> bool:
    """The event stands under a boundary guard behind the step."""
    gated = event.cadence is Cadence.PER_UPDATE and event.boundary is not None
    return gated and event.index > step.index and event.statement is not None and event.frame is step.frame


def _updates_with(step: Event, loop: TrainingLoop) -> list[cst.CSTNode]:
    """The updates of the scaler beside its step, which raise where it has not stepped."""
    beside = (e for e in loop.all(Kind.SCALER_UPDATE) if e.suite is step.suite and e.cadence is step.cadence)
    return [e.statement for e in beside if e.statement is not None and step.through == "scaler"]


def _flushes_nothing(loop: TrainingLoop) -> cst.CSTNode | None:
    """What is done under a condition of its own after the loop, to a window that has no step there."""
    if any(event.kind is Kind.OPTIMIZER_STEP for event in loop.tail):
        return None
    last = max((event.index for event in loop.events if loop.is_inside(event)), default=0)
    after = (e for e in loop.events if e.index > last and not loop.is_inside(e) and e.kind is not Kind.OPTIMIZER_STEP)
    return next((event.node for event in after if loop.gate(event) is not None), None)
