"""Conditions about N itself: whether it is one, or more."""

from __future__ import annotations

import libcst as cst

from gradlint.model.lookup import same_steps
from gradlint.model.paths import Guard
from gradlint.model.resolve import Resolver
from gradlint.model.syntax import dotted, literal
from gradlint.model.vocabulary import Taught
from gradlint.model.window import Steps


def trivial_arm(guard: Guard, steps: Steps, resolver: Resolver) -> bool:
    """True for the arm of a test of N itself in which N is 1: nothing accumulates there."""
    test = guard.test
    if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1:
        return False
    target = test.comparisons[0]
    bound = literal(target.comparator)
    if bound not in (0, 1) or isinstance(bound, bool) or not _is_steps(test.left, steps, resolver.words):
        return False
    one = isinstance(target.operator, (cst.Equal, cst.LessThanEqual))
    many = isinstance(target.operator, (cst.GreaterThan, cst.NotEqual))
    return (one and guard.arm == 0) or (many and guard.arm == 1)


def tests_steps(guard: Guard, steps: Steps, words: Taught) -> bool:
    """True for a condition about N alone, such as `if N > 1:`."""
    test = guard.test
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        return _is_steps(test.left, steps, words) and literal(test.comparisons[0].comparator) in (0, 1)
    return test is not None and _is_steps(test, steps, words)


def _is_steps(node: cst.BaseExpression, steps: Steps, words: Taught) -> bool:
    name = dotted(node)
    if name is None:
        return steps.value is not None and literal(node) == steps.value
    return name in steps.names or same_steps(frozenset({name}), steps.names, words) or words.spells_steps(name)
