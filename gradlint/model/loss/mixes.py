"""Losses mixed by weights that add up to one: a mean of two losses, and no division of either."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.syntax.expressions import dotted, literal


def unmixed(node: cst.BinaryOperation) -> list[cst.BaseExpression]:
    """The terms of a sum; of `lam * a + (1 - lam) * b`, as of mixed inputs, `a` and `b`.

    What `lam` is, and what it was divided by on its way, says nothing about the loss then.
    """
    sides = [node.left, node.right]
    if not isinstance(node.operator, cst.Add):
        return sides
    terms = list(_terms(node))
    factors = [_factors(term) for term in terms]
    found: list[cst.BaseExpression] = []
    for place, term in enumerate(terms):
        rest = next(
            (rest for factor, rest in factors[place] if any(_completes(factor, f) for f, _ in _others(factors, place))), None
        )
        found.append(term if rest is None else rest)
    return sides if all(a is b for a, b in zip(found, terms, strict=True)) else found


def _terms(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Add):
        yield from _terms(node.left)
        yield from _terms(node.right)
    else:
        yield node


def _factors(term: cst.BaseExpression) -> list[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """Each side of a product, with the other."""
    if isinstance(term, cst.BinaryOperation) and isinstance(term.operator, cst.Multiply):
        return [(term.left, term.right), (term.right, term.left)]
    return []


def _others(
    factors: list[list[tuple[cst.BaseExpression, cst.BaseExpression]]], place: int
) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression]]:
    yield from (each for index, pairs in enumerate(factors) if index != place for each in pairs)


def _completes(one: cst.BaseExpression, other: cst.BaseExpression) -> bool:
    """Two factors of which one is 1 less the other."""
    return _rest_of(one, other) or _rest_of(other, one)


def _rest_of(one: cst.BaseExpression, other: cst.BaseExpression) -> bool:
    if (
        not isinstance(one, cst.BinaryOperation)
        or not isinstance(one.operator, cst.Subtract)
        or literal(one.left) not in (1, 1.0)
    ):
        return False
    return dotted(one.right) is not None and dotted(one.right) == dotted(other)
