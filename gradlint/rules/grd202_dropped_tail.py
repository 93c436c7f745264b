"""GRD202 dropped-tail; the page is rules/GRD202.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Edit, Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import ENDS_EARLY, Outcome, decides_apart, ends_with_full_windows, guards_of, shifted, withheld
from gradlint.model.types import Boundary, Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing


@rule(
    "GRD202",
    "dropped-tail",
    "The last, partial window of a finite loader never reaches the optimizer",
    severity=Severity.WARNING,
    promise=changing(windows=True),
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
    last = shifted(boundary.index, 1 - boundary.counts_from)
    edits: list[Edit] = [_extended(each, last, length) for each in guards]
    safe = Applicability.SAFE if loop.walks.certain else Applicability.UNSAFE
    return Fix(f"Update on the last micro-batch of `{length}` too", tuple(edits), safe), None


def _extended(boundary: Boundary, last: str, length: str) -> Edit:
    test = boundary.test
    negative = boundary.negative
    loose = isinstance(test, (cst.IfExp, cst.Lambda, cst.NamedExpr)) or (
        isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.Or if negative else cst.And)
    )
    before, after = ("(", ")") if loose else ("", "")
    if negative:
        return Enclose(test, before, f"{after} and {last} != len({length})")
    return Enclose(test, before, f"{after} or {last} == len({length})")
