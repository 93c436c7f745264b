"""Conditions that keep the very first micro-batch from a boundary that is true on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from gradlint.model.data.window import Boundary, Steps
from gradlint.model.names.records import Site
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import dotted, literal
from gradlint.model.syntax.paths import Guard
from gradlint.model.window.flush import flatten
from gradlint.model.window.multiplicity import single


def skips_start(part: cst.BaseExpression, boundary: Boundary) -> bool:
    """`i > 0`, `i != 0` or `i` beside a boundary over the same index: the first firing is suppressed."""
    if boundary.index is None or not boundary.holds or boundary.counter is None:
        return False
    if isinstance(part, cst.Comparison) and len(part.comparisons) == 1:
        target = part.comparisons[0]
        zero = literal(target.comparator) == 0 and isinstance(target.operator, (cst.GreaterThan, cst.NotEqual))
        one = literal(target.comparator) == 1 and isinstance(target.operator, cst.GreaterThanEqual)
        return (zero or one) and _counts(part.left, boundary)
    return dotted(part) is not None and dotted(part) == boundary.counter


def away_from_start(
    guards: Sequence[tuple[Guard, Site]], boundary: Boundary, steps: Steps | None, resolver: Resolver
) -> cst.BaseExpression | None:
    """A test beside the boundary's own that lets no first micro-batch through, where N is above one."""
    for guard, site in guards:

        def in_windows(test: cst.BaseExpression, site: Site = site) -> bool | None:
            told = single(test, steps, resolver, site) if steps is not None else None
            return told.arm == 1 if told is not None else None

        if guard.kind == "branch" and guard.test is not None and _excludes(guard.test, guard.arm == 0, boundary, in_windows):
            return guard.test
    return None


def _excludes(
    test: cst.BaseExpression, truth: bool, boundary: Boundary, in_windows: Callable[[cst.BaseExpression], bool | None]
) -> bool:
    """Whether this answer to a test says that the micro-batch is not the first.

    `in_windows` answers the tests of N alone: with N above one, `not (N > 1 and i == 0)` is `i != 0`.
    """
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return _excludes(test.expression, not truth, boundary, in_windows)
    if isinstance(test, cst.BooleanOperation):
        both = isinstance(test.operator, cst.And)
        parts = [part for part in flatten(test, type(test.operator)) if in_windows(part) is not both]
        found = [_excludes(part, truth, boundary, in_windows) for part in parts]
        return any(found) if both is truth else bool(found) and all(found)
    return skips_start(test, boundary) if truth else _asks_for_start(test, boundary)


def _asks_for_start(test: cst.BaseExpression, boundary: Boundary) -> bool:
    """`i == 0` and its like."""
    if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1 or not boundary.holds:
        return False
    target = test.comparisons[0]
    zero = literal(target.comparator) == 0 and isinstance(target.operator, (cst.Equal, cst.LessThanEqual))
    one = literal(target.comparator) == 1 and isinstance(target.operator, cst.LessThan)
    return (zero or one) and _counts(test.left, boundary)


def _counts(node: cst.BaseExpression, boundary: Boundary) -> bool:
    return boundary.index is not None and dotted(node) is not None and dotted(node) in (boundary.counter, dotted(boundary.index))
