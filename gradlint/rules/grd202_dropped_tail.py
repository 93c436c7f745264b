"""GRD202 dropped-tail; the page is rules/GRD202.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.edits import Edit, Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import (
    ENDS_EARLY,
    Outcome,
    counted_by_optimizer,
    counted_in_full_windows,
    decides_apart,
    ends_with_full_windows,
    guards_of,
    part_of,
    shifted,
    unsafe,
    withheld,
)
from gradlint.model.bystanders import asked_elsewhere, named
from gradlint.model.syntax.expressions import walk
from gradlint.model.types import Boundary, Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


def _shown(scene: Scene) -> Finding:
    message = f"{scene.there} runs only on full windows of {scene.n}: "
    message += "the gradients of the last micro-batches of each pass are thrown away, or leak into the next pass"
    return Finding(scene.guard or scene.place, message, ((scene.step.node, "full windows step here"),))


@rule(
    "GRD202",
    "dropped-tail",
    "The last, partial window of a finite loader never reaches the optimizer",
    severity=Severity.WARNING,
    promise=changing(windows=True),
    shown=_shown,
)
def dropped_tail(loop: TrainingLoop) -> Iterator[Finding]:
    boundary = loop.dropped_tail
    if boundary is None:
        return
    step = next(each for each in loop.all(Kind.OPTIMIZER_STEP) if each.boundary is boundary)
    fix, note = _flush(boundary, loop)
    zeroed = "are thrown away" if boundary.restarts is False else "are thrown away, or leak into the next pass"
    never, each = "its flush can never fire, and " if boundary.dead_flush else "", "each"
    if boundary.short_flush:
        never, each = "its flush fires on short passes only, and ", "each longer"
    if loop.flush_misses:
        never = "the step after the loop asks for the wrong remainder, so that of some lengths "
    yield Finding(
        at=boundary.test,
        message=f"`{step.source}` runs only on full windows of {loop.n}: {never}"
        f"the gradients of the last micro-batches of {each} pass {zeroed}",
        related=((step.node, "full windows step here" if loop.flush_misses else "nothing else steps the optimizer"),),
        fix=fix,
        note=note,
    )


def _flush(boundary: Boundary, loop: TrainingLoop) -> Outcome:
    length = loop.walks.length
    if length is None:
        return withheld("the loader has no name here whose length could be asked for")
    if loop.walks.stream:
        return withheld(f"`{length}` reads a stream, which has no length: step once more after the loop, where a window is left")
    if loop.flush_misses:
        return withheld("the step after the loop has to be put right first")
    if decides_apart(loop):
        return withheld("a test of its own decides when gradients are synchronised")
    if ends_with_full_windows(loop):
        return withheld(ENDS_EARLY)
    if boundary.skips_first is not None:
        return withheld("the guard has to be put right first")
    if boundary.dead_flush:
        what = "for short passes" if boundary.short_flush else "that cannot fire"
        return withheld(f"a flush {what} stands in the guard already")
    if boundary.index is None:
        return withheld("the guard asks for no index that could be compared with the length of the loader")
    if not boundary.restarts or boundary.counts_from is None:
        return withheld("the index does not restart with each pass over the data")
    guards = guards_of(loop, boundary)
    if loop.guard is None or any(each.frame is not loop.guard.frame for each in guards):
        return withheld("the guard stands in another function, where the loader has no name")
    before = [step for step in loop.all(Kind.OPTIMIZER_STEP) if step.boundary is boundary]
    if all(step.index < backward.index for step in before for backward in loop.all(Kind.BACKWARD)):
        return withheld(f"{named(boundary.test, loop)} stands before the backward pass, whose gradients a flush there would miss")
    last = shifted(boundary.index, 1 - boundary.counts_from)
    edits: list[Edit] = []
    for each in guards:
        node = part_of(each)
        if node is None:
            return withheld(f"{named(each.test, loop)} mixes its conditions in a way that a flush does not fit into")
        edits.append(_extended(each, node, last, length))
    fix = Fix(f"Update on the last micro-batch of `{length}` too", tuple(edits))
    other = asked_elsewhere(loop, boundary, [each.test for each in guards])
    if other is not None:
        return unsafe(fix, f"{named(other, loop)} asks for the boundary by itself, and would not know of the last micro-batch")
    short = counted_in_full_windows(loop)
    if short is not None:
        return unsafe(fix, f"`{short.keyword}` counts full windows alone, and the schedule would be over before the run is")
    told = counted_by_optimizer(loop)
    if told is not None:
        return unsafe(fix, f"`{told}` may count full windows alone, and the optimizer's schedule would be over before the run is")
    if not loop.walks.certain:
        return unsafe(fix, f"whether `{length}` has a length is not in sight, and `len()` raises where it has none")
    return fix, None


def _extended(boundary: Boundary, node: cst.BaseExpression, last: str, length: str) -> Edit:
    """The alternative beside the part of the test that asks for the boundary; the conditions that go with it stay above both."""
    test = boundary.test
    above = cst.And if not boundary.negative else cst.Or
    loose = isinstance(test, (cst.IfExp, cst.Lambda, cst.NamedExpr))
    held = node is not test and any(
        isinstance(each, cst.BooleanOperation) and isinstance(each.operator, above) for each in walk(test)
    )
    word, sign = ("and", "!=") if boundary.negative else ("or", "==")
    more = f" {word} {last} {sign} len({length})"
    if held:
        return Enclose(node, "(", f"{more})")
    return Enclose(test, "(" if loose else "", f"{')' if loose else ''}{more}")
