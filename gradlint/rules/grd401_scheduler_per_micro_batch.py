"""GRD401 scheduler-per-micro-batch; the page is rules/GRD401.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.fixes.shared import into_update, unsafe
from gradlint.model.construct import knows_steps
from gradlint.model.types import Event, Kind, Steps, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Advance the schedule once per update, after the step")
    message = f"{scene.here} runs more often than {scene.there}: the schedule ends N times too early"
    return Finding(scene.place, message, ((scene.step.node, "the weights change here"),), fix, note)


@rule(
    "GRD401",
    "scheduler-per-micro-batch",
    "The learning-rate schedule advances more often than the weights do",
    promise=changing(What.SCHEDULE),
    shown=_shown,
)
def scheduler_per_micro_batch(loop: TrainingLoop) -> Iterator[Finding]:
    for step in loop.all(Kind.SCHEDULER_STEP):
        update = loop.update_for(step)
        # step(epoch), step(metric): the caller sets the pace.
        if update is None or step.args or not step.cadence.more_often_than(update.cadence):
            continue
        if update.through == "deepspeed" or (loop.steps is not None and loop.steps.value == 1):
            continue
        if _counts_micro_batches(step, loop):
            continue
        fix, note = into_update(step, update, loop, "Advance the schedule once per update, after the step")
        if fix is not None and not _counts_updates(step, loop):
            fix, note = unsafe(fix, f"in what the length of `{step.source.removesuffix('.step()')}` is counted is not in sight")
        yield Finding(
            at=step.node,
            message=f"`{step.source}` runs on every micro-batch, `{update.source}` once every {loop.n}: "
            "the schedule ends N times too early",
            related=((update.node, "the weights change here"),),
            fix=fix,
            note=note,
        )


def _counts_updates(step: Event, loop: TrainingLoop) -> bool:
    """Whatever may have built the schedule was given a number of updates, visibly computed from a number of micro-batches."""
    told = {id(schedule.call) for event, schedule in loop.schedules if event is step and schedule.loader_lengths}
    return bool(told) and all(id(call) in told for call in step.details.builders)


def _counts_micro_batches(step: Event, loop: TrainingLoop) -> bool:
    """The schedule's length counts micro-batches as well: the curve over the run is the one that was meant."""
    steps = loop.steps or Steps(None)
    mine = (schedule for event, schedule in loop.schedules if event is step)
    return any(schedule.multiplied or not knows_steps(schedule, steps, loop.words) for schedule in mine)
