"""Conditions about N itself: whether it is one, or more, or none at all."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gradlint.model.data.window import Steps
from gradlint.model.names.lookup import same_steps
from gradlint.model.names.records import Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import Taught
from gradlint.model.syntax.expressions import NOT_LITERAL, dotted, literal
from gradlint.model.syntax.paths import Guard

MAX_HOPS = 3


@dataclass(frozen=True)
class Single:
    """The arm of a test of N on which nothing accumulates; `absent` where N is 0 or None there, and no divisor."""

    arm: int
    absent: bool


_TESTS: dict[tuple[type[cst.BaseCompOp], object], Single] = {
    (cst.Is, None): Single(0, absent=True),
    (cst.IsNot, None): Single(1, absent=True),
    (cst.Equal, None): Single(0, absent=True),
    (cst.NotEqual, None): Single(1, absent=True),
    (cst.Equal, 0): Single(0, absent=True),
    (cst.Equal, 1): Single(0, absent=False),
    (cst.NotEqual, 0): Single(1, absent=True),
    (cst.NotEqual, 1): Single(1, absent=False),
    (cst.LessThan, 1): Single(0, absent=True),
    (cst.LessThan, 2): Single(0, absent=False),
    (cst.LessThanEqual, 0): Single(0, absent=True),
    (cst.LessThanEqual, 1): Single(0, absent=False),
    (cst.GreaterThan, 0): Single(1, absent=True),
    (cst.GreaterThan, 1): Single(1, absent=False),
    (cst.GreaterThanEqual, 1): Single(1, absent=True),
    (cst.GreaterThanEqual, 2): Single(1, absent=False),
}


def single(test: cst.BaseExpression, steps: Steps, resolver: Resolver, site: Site, hops: int = 0) -> Single | None:
    """What a test says of N, by itself or through a flag; None for a test of something else."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        inner = single(test.expression, steps, resolver, site, hops)
        return Single(1 - inner.arm, inner.absent) if inner is not None else None
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        bound = literal(test.comparisons[0].comparator)
        if bound is NOT_LITERAL or isinstance(bound, (bool, float)) or not _is_steps(test.left, steps, resolver.words):
            return None
        return _TESTS.get((type(test.comparisons[0].operator), bound))
    if isinstance(test, cst.BooleanOperation):
        both = [single(side, steps, resolver, site, hops) for side in (test.left, test.right)]
        arm = 1 if isinstance(test.operator, cst.And) else 0
        known = [each for each in both if each is not None and each.arm == arm]
        return Single(arm, any(each.absent for each in known)) if len(known) == 2 else None
    name = dotted(test)
    if name is None or hops > MAX_HOPS:
        return None
    if name in steps.names:
        return Single(1, absent=True)
    found = resolver.reaching(name, site)[0]
    value = found[0].value if len(found) == 1 and found[0].how == "assign" else None
    return single(value, steps, resolver, site_of(found[0]), hops + 1) if value is not None else None


def tests_steps(guard: Guard, steps: Steps, words: Taught) -> bool:
    """True for a condition about N alone, such as `if N > 1:`."""
    test = guard.test
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        return _is_steps(test.left, steps, words) and literal(test.comparisons[0].comparator) in (0, 1)
    return test is not None and _is_steps(test, steps, words)


def is_answer(node: cst.BaseExpression, site: Site, resolver: Resolver) -> bool:
    """The name holds the answer to a question, whatever it is called: `accumulate = i % N == 0` is no number of steps."""
    name = dotted(node)
    found = resolver.reaching(name, site)[0] if name else []
    return bool(found) and all(d.how in ("assign", "param") and d.value is not None and _answers(d.value) for d in found)


def _answers(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.BooleanOperation):
        return _answers(node.left) and _answers(node.right)
    asks = isinstance(node, cst.Comparison) or (isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not))
    return asks or isinstance(literal(node), bool)


def _is_steps(node: cst.BaseExpression, steps: Steps, words: Taught) -> bool:
    name = dotted(node)
    if name is None:
        return steps.value is not None and literal(node) == steps.value
    return name in steps.names or same_steps(frozenset({name}), steps.names, words) or words.spells_steps(name)
