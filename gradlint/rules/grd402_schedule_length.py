"""GRD402 schedule-length-in-micro-batches; the page is rules/GRD402.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.edits import AddImport, Edit, Enclose, Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, atom, unsafe, withheld
from gradlint.model.construct import knows_steps
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Cadence, Engine, Event, Schedule, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


def _shown(scene: Scene) -> Finding:
    message = f"The length of the schedule counts micro-batches, but {scene.quoted(scene.event.node)} runs once every {scene.n}: "
    message += "the schedule is N times too long"
    return Finding(scene.place, message, ((scene.event.node, "the schedule advances here"),))


@rule(
    "GRD402",
    "schedule-length-in-micro-batches",
    "The schedule's length counts micro-batches, but it advances once per update",
    severity=Severity.WARNING,
    promise=changing(),
    shown=_shown,
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
        if knows_steps(schedule, loop.steps, loop.words) or not schedule.loader_lengths or _counts_updates(schedule):
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


def _counts_updates(schedule: Schedule) -> bool:
    """The length is divided already, by what may be N under another name or as the number that N usually is."""
    usual = schedule.usual_steps
    return any(number is None or (usual is not None and number == usual) for number in schedule.divided)


def _multiplied(step: Event, schedule: Schedule, loop: TrainingLoop) -> Finding:
    """A prepared scheduler skips while gradients accumulate: its length counts updates, whatever the loader holds."""
    assert schedule.factor is not None
    product, rest = schedule.factor
    fix, note = unsafe(
        Fix("Count updates", (Replace(product, rest),)),
        "a prepared scheduler advances once for each process, and the product may stand for their number",
    )
    return Finding(
        at=product,
        message=f"`{schedule.keyword}` is multiplied by {loop.n}, but the prepared `{step.source}` advances once per update: "
        "the schedule is N times too long",
        related=((step.node, "the schedule advances here"),),
        fix=fix,
        note=note,
    )


def _in_updates(schedule: Schedule, loop: TrainingLoop) -> Outcome:
    n = schedule.steps_there
    if n is None or len(schedule.loader_lengths) != 1:
        return withheld("N has no name where the length is computed")
    length = schedule.loader_lengths[0]
    up = _counts_partial_windows(loop)
    imports = (AddImport("import math"),) if up else ()
    if schedule.read_by is not None:
        given, words = schedule.written_out, text(length)
        if given is None:
            return withheld(f"`{schedule.read_by}` is read elsewhere too, where it counts micro-batches")
        there = (
            f"math.ceil({words} / {atom(n)})" if up else f"({words} // {atom(n)})" if given != words else f"{words} // {atom(n)}"
        )
        written = Fix("Count updates", (Replace(schedule.length, given.replace(words, there)), *imports))
        return _assuming(written, schedule)
    edits: list[Edit] = []
    if up:
        edits += [Enclose(length, "math.ceil(", f" / {atom(n)})"), *imports]
    else:
        before, after = ("", "") if schedule.length is length else ("(", ")")
        edits.append(Enclose(length, before, f" // {atom(n)}{after}"))
    return _assuming(Fix("Count updates", tuple(edits)), schedule)


def _assuming(fix: Fix, schedule: Schedule) -> Outcome:
    if schedule.divided:
        return unsafe(fix, "the length is divided as well by something else, and what N leaves of it may be nothing")
    if schedule.mixed:
        return unsafe(fix, "something is added to the length, or taken off, that may count micro-batches as well")
    return fix, None


def _counts_partial_windows(loop: TrainingLoop) -> bool:
    """The tail is an update, or the beginning of one in the next pass: rounded down, the schedule would be overrun."""
    if loop.engine is Engine.ACCELERATE or loop.flushed_after or loop.walks.cut or loop.dropped_tail is not None:
        return True
    return loop.boundary is not None and (loop.boundary.flush or loop.boundary.restarts is False)
