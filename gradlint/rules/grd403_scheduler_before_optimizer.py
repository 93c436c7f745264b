"""GRD403 scheduler-before-optimizer; the page is rules/GRD403.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.edits import Move
from gradlint.finding import Finding, Fix
from gradlint.fixes.by_trace import move_to_step
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.anchors import Withheld, beside, own_condition, piece, place_for
from gradlint.model.bystanders import unsettled
from gradlint.model.types import Cadence, Event, Kind, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Advance the schedule after the step")
    message = f"{scene.here} runs before {scene.there}: the first value of the schedule is never used"
    return Finding(scene.place, message, ((scene.step.node, "the weights change here"),), fix, note)


@rule(
    "GRD403",
    "scheduler-before-optimizer",
    "The schedule advances before the weights do: its first rate is skipped",
    severity=Severity.WARNING,
    promise=changing(What.SCHEDULE),
    shown=_shown,
)
def scheduler_before_optimizer(loop: TrainingLoop) -> Iterator[Finding]:
    for scheduler in loop.all(Kind.SCHEDULER_STEP):
        update = loop.update_of(scheduler)
        steps = [
            s
            for s in update
            if s.kind is Kind.OPTIMIZER_STEP
            and s.cadence is scheduler.cadence
            and not exclusive(s.path, scheduler.path)
            and s.through != "deepspeed"
        ]
        # step(epoch), step(metric): the caller sets the rate on purpose before the step.
        if (
            not steps
            or scheduler.args
            or not any(scheduler is event for event in update)
            or any(s.index < scheduler.index for s in steps)
        ):
            continue
        if scheduler.cadence is Cadence.UNKNOWN or not scheduler.details.torch_built:
            continue
        fix, note = _after(scheduler, steps[-1], loop)
        yield Finding(
            at=scheduler.node,
            message=f"`{scheduler.source}` runs before `{steps[0].source}`: the first value of the schedule is never used",
            related=((steps[0].node, "the weights change here"),),
            fix=fix,
            note=note,
        )


def _after(scheduler: Event, step: Event, loop: TrainingLoop) -> Outcome:
    unit = piece(scheduler, loop)
    if isinstance(unit, Withheld):
        return withheld(unit.reason)
    if own_condition(scheduler, unit, loop, step):
        return withheld("it stands under a condition of its own")
    if step.frame is not scheduler.frame:
        return withheld("the step is in another function")
    gated = step.cadence is Cadence.PER_UPDATE and step.boundary is not None
    place = place_for(Kind.SCHEDULER_STEP, loop, step, scheduler) if gated else beside(scheduler, loop)
    if isinstance(place, Withheld):
        return withheld(place.reason)
    reason = unsettled(scheduler, unit, place, loop)
    if reason is not None:
        return withheld(reason)
    return Fix("Advance the schedule after the step", (Move(unit, place.statement, place.after),)), None
