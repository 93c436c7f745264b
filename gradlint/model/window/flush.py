"""The alternatives to a boundary in one condition: whether they let the last, partial window through."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.names.records import Site
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import NOT_LITERAL, calls_in, last_name, literal
from gradlint.model.window.counting import Body, count_of


def flatten(node: cst.BaseExpression, operator: type[cst.BaseBooleanOp]) -> Iterator[cst.BaseExpression]:
    """The conditions that one operator joins."""
    if isinstance(node, cst.BooleanOperation) and isinstance(node.operator, operator):
        yield from flatten(node.left, operator)
        yield from flatten(node.right, operator)
    else:
        yield node


def irrelevant(part: cst.BaseExpression) -> bool:
    """An alternative that has nothing to do with the end of the data: `N == 1`, `i == 0`, a literal."""
    if isinstance(part, cst.Comparison) and len(part.comparisons) == 1:
        return literal(part.comparisons[0].comparator) in (0, 1)
    return literal(part) is not NOT_LITERAL


def never_fires(part: cst.BaseExpression, site: Site, resolver: Resolver, body: Body) -> bool:
    """A last-index test that cannot hold: `step == len(loader)` with a zero-based step, or only for tiny loaders."""
    for each, where in resolver.follow(part, site):
        if isinstance(each, cst.BooleanOperation) and isinstance(each.operator, cst.And):
            return any(never_fires(p, where, resolver, body) or _tiny(p) for p in flatten(each, cst.And))
        if isinstance(each, cst.Comparison) and len(each.comparisons) == 1:
            target = each.comparisons[0]
            if not isinstance(target.operator, (cst.Equal, cst.GreaterThanEqual, cst.GreaterThan)):
                return False
            count = count_of(each.left, where, resolver, body)
            slack = _beyond_length(target.comparator, where, resolver)
            if count is None or not count.counters or slack is None or not count.restarts:
                return False
            if isinstance(target.operator, cst.GreaterThan):
                slack += 1
            return count.start - 1 < slack
    return False


def fires_on_short(part: cst.BaseExpression, site: Site, resolver: Resolver, body: Body) -> bool:
    """A last-index test that holds where the whole pass is short: `len(loader) <= N and step + 1 == len(loader)`."""
    for each, where in resolver.follow(part, site):
        if isinstance(each, cst.BooleanOperation) and isinstance(each.operator, cst.And):
            parts = list(flatten(each, cst.And))
            return any(map(_tiny, parts)) and not any(never_fires(p, where, resolver, body) for p in parts)
    return False


def _tiny(part: cst.BaseExpression) -> bool:
    if isinstance(part, cst.Comparison) and len(part.comparisons) == 1:
        small = isinstance(part.comparisons[0].operator, (cst.LessThan, cst.LessThanEqual))
        return small and any(last_name(call) == "len" for call in calls_in(part.left))
    return False


def _beyond_length(node: cst.BaseExpression, site: Site, resolver: Resolver) -> int | None:
    """`b` where the expression is `len(x) + b`; None where it is no length."""
    for each, where in resolver.follow(node, site):
        if isinstance(each, cst.Call) and last_name(each.func) == "len":
            return 0
        if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, (cst.Add, cst.Subtract)):
            base = _beyond_length(each.left, where, resolver)
            shift = literal(each.right)
            if base is not None and isinstance(shift, int):
                return base + shift if isinstance(each.operator, cst.Add) else base - shift
            return None
    return None
