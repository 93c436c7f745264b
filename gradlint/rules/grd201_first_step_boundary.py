"""GRD201 first-step-boundary; the page is rules/GRD201.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Edit, Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import (
    ENDS_EARLY,
    Outcome,
    comparison_in,
    decides_apart,
    ends_with_full_windows,
    guards_of,
    shifted,
    unsafe,
    withheld,
)
from gradlint.model.bystanders import asked_elsewhere, named
from gradlint.model.syntax.expressions import literal, text, walk
from gradlint.model.types import Boundary, Cadence, Event, Kind, Phase, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.tails import ALL_BUT_THE_LAST


def _shown(scene: Scene) -> Finding:
    if scene.fault.why == ALL_BUT_THE_LAST:
        return _shown_inverted(scene)
    message = f"The first window that {scene.there} closes has another size than the others"
    return Finding(scene.guard or scene.place, message, ((scene.step.node, "the weights change here"),))


def _shown_inverted(scene: Scene) -> Finding:
    guard = scene.guard
    holds = f"{scene.quoted(guard)} holds" if guard is not None else f"{scene.there} runs"
    message = f"{holds} on every micro-batch of a window of {scene.n} but the last, "
    message += f"so that {scene.there} closes windows of one, and the gradients of the last are carried into the next"
    note = "no fix is offered: the condition is the opposite of what ends a window"
    return Finding(guard or scene.place, message, ((scene.step.node, "the weights change here"),), note=note)


@rule(
    "GRD201",
    "first-step-boundary",
    "The optimizer's guard holds on the wrong micro-batch of the window",
    promise=changing(windows=True),
    shown=_shown,
)
def first_step_boundary(loop: TrainingLoop) -> Iterator[Finding]:
    if loop.steps_vary:
        return  # where N changes, no remainder says which micro-batch is the last of a window
    backwards = list(loop.all(Kind.BACKWARD))
    seen: set[int] = set()
    for step in loop.all(Kind.OPTIMIZER_STEP):
        boundary = step.boundary
        if boundary is None or step.cadence is not Cadence.PER_UPDATE or boundary.phase in (Phase.LAST, Phase.UNKNOWN):
            continue
        # A step at the top of the iteration closes the window of the micro-batches before it.
        if all(step.index < backward.index for backward in backwards) or id(boundary.test) in seen:
            continue
        if boundary.steps.value == 1 or _steps_inside(boundary, loop):
            continue
        seen.add(id(boundary.test))
        fix, note = _shift(boundary, loop)
        yield Finding(
            at=boundary.test,
            message=_message(boundary, step),
            related=((step.node, "the weights change here"),),
            fix=fix,
            note=note,
        )


def _steps_inside(boundary: Boundary, loop: TrainingLoop) -> bool:
    """An optimizer steps on the other arm of the test as well: the test does not close a window of both."""
    steps = (step for step in loop.all(Kind.OPTIMIZER_STEP) if step.cadence is Cadence.INSIDE_WINDOW)
    return any(step.boundary is not None and step.boundary.test is boundary.test for step in steps)


def _message(boundary: Boundary, step: Event) -> str:
    guard = f"`{text(boundary.test)}`"
    if boundary.skips_first is not None and not any(each is boundary.skips_first for each in walk(boundary.test)):
        away = f"{guard} is true on the very first micro-batch, from which another test keeps `{step.source}` away"
        return f"{away}: the first window has one micro-batch too many"
    if boundary.skips_first is not None:
        return f"{guard} is first true on micro-batch N + 1: the first window of `{step.source}` has one micro-batch too many"
    if boundary.phase is Phase.FIRST:
        return f"{guard} is true on the very first micro-batch: `{step.source}` updates after one of them, and every window is shifted"
    return f"{guard} is not true on the last micro-batch of the window: the first window of `{step.source}` has the wrong length"


def _shift(boundary: Boundary, loop: TrainingLoop) -> Outcome:
    edits: list[Edit] = []
    if decides_apart(loop):
        return withheld("a test of its own decides when gradients are synchronised")
    if (boundary.flush or loop.flushed_after) and ends_with_full_windows(loop):
        return withheld(ENDS_EARLY)
    for each in guards_of(loop, boundary):
        if each.phase is Phase.LAST:
            continue
        if each.modulus is None or each.index is None or each.counts_from is None:
            return withheld("the counter is kept by hand in a way that a shift of the index does not mend")
        edits.append(_edit(each))
    fix = Fix("Update on the last micro-batch of each window", tuple(edits))
    other = asked_elsewhere(loop, boundary, [each.test for each in guards_of(loop, boundary)])
    if other is not None:
        return unsafe(fix, f"{named(other, loop)} asks for the boundary by itself, and would not move with it")
    return fix, None


def _edit(boundary: Boundary) -> Edit:
    assert boundary.modulus is not None and boundary.index is not None and boundary.counts_from is not None
    test = comparison_in(boundary)
    modulus = f"{shifted(boundary.index, 1 - boundary.counts_from)} % {text(boundary.modulus.right)}"
    node: cst.BaseExpression
    if isinstance(test, cst.Comparison) and literal(test.comparisons[0].comparator) != 0:
        operator = "!=" if _holds_inside(test.comparisons[0]) else "=="
        shifted_test, node = f"{modulus} {operator} 0", test
    else:
        shifted_test, node = modulus, boundary.modulus
    if boundary.skips_first is not None and isinstance(boundary.test, cst.BooleanOperation):
        sides = (boundary.test.left, boundary.test.right)
        if boundary.skips_first in sides:
            rest = f"{modulus} == 0" if isinstance(test, cst.Comparison) else f"not {modulus}"
            return Replace(boundary.test, rest)
    return Replace(node, shifted_test)


def _holds_inside(target: cst.ComparisonTarget) -> bool:
    """The rest of the comparison is `!= r` or `>= 1`: what it compares is true within the window."""
    if isinstance(target.operator, cst.GreaterThanEqual):
        return literal(target.comparator) == 1
    return isinstance(target.operator, cst.NotEqual)
