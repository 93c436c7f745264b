"""GRD402 schedule-length-in-micro-batches; the page is rules/GRD402.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.edits import AddImport, Edit, Enclose, Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, atom, withheld
from gradlint.model.construct import knows_steps
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Cadence, Engine, Event, Schedule, TrainingLoop
from gradlint.rule import rule


@rule(
    "GRD402",
    "schedule-length-in-micro-batches",
    "The schedule's length counts micro-batches, but it advances once per update",
    severity=Severity.WARNING,
)
def schedule_length_in_micro_batches(loop: TrainingLoop) -> Iterator[Finding]:
    seen: set[int] = set()
    for step, schedule in loop.schedules:
        update = loop.update_for(step)
        if update is None or step.cadence is not Cadence.PER_UPDATE or loop.steps is None or step.args:
            continue
        # Micro-batches that are cut from one batch of the loader: its length counts updates.
        if loop.walks.windowed and not (loop.walks.draws or loop.walks.cut):
            continue
        if loop.steps.value == 1 or id(schedule.place) in seen:
            continue
        seen.add(id(schedule.place))
        if schedule.factor is not None and loop.engine is Engine.ACCELERATE and step.prepared is not False:
            yield _multiplied(step, schedule, loop)
        if knows_steps(schedule, loop.steps, loop.words) or not schedule.loader_lengths:
            continue
        fix, note = _in_updates(schedule, loop)
        yield Finding(
            at=schedule.place,
            message=f"`{schedule.keyword}` counts the micro-batches of `{text(schedule.loader_lengths[0])}`, but "
            f"`{step.source}` runs once every {loop.n}: the schedule is N times too long",
            related=((step.node, "the schedule advances here"), (schedule.call, "it is built here")),
            fix=fix,
            note=note,
        )


def _multiplied(step: Event, schedule: Schedule, loop: TrainingLoop) -> Finding:
    """A prepared scheduler skips while gradients accumulate: its length counts updates, whatever the loader holds."""
    assert schedule.factor is not None
    product, rest = schedule.factor
    return Finding(
        at=product,
        message=f"`{schedule.keyword}` is multiplied by {loop.n}, but the prepared `{step.source}` advances once per update: "
        "the schedule is N times too long",
        related=((step.node, "the schedule advances here"),),
        fix=Fix("Count updates", (Replace(product, rest),)),
    )


def _in_updates(schedule: Schedule, loop: TrainingLoop) -> Outcome:
    n = schedule.steps_there
    if n is None or len(schedule.loader_lengths) != 1:
        return withheld("N has no name where the length is computed")
    length = schedule.loader_lengths[0]
    edits: list[Edit] = []
    if _counts_partial_windows(loop):
        edits += [Enclose(length, "math.ceil(", f" / {atom(n)})"), AddImport("import math")]
    else:
        before, after = ("", "") if schedule.length is length else ("(", ")")
        edits.append(Enclose(length, before, f" // {atom(n)}{after}"))
    return Fix("Count updates", tuple(edits)), None


def _counts_partial_windows(loop: TrainingLoop) -> bool:
    """The tail is an update, or the beginning of one in the next pass: rounded down, the schedule would be overrun."""
    if loop.engine is Engine.ACCELERATE or loop.flushed_after or loop.walks.cut or loop.dropped_tail is not None:
        return True
    return loop.boundary is not None and (loop.boundary.flush or loop.boundary.restarts is False)
