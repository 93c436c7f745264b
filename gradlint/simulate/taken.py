"""Numbers that were taken of losses, to be reported: they leave the graph, and are added up, weighed by rows, and averaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeGuard

import libcst as cst

from gradlint.simulate.values import OVER_ROWS, SIZES, Factor, Source, Tensor, number

_ROWS = "<rows>"
"""The mark of a number of rows: in how many batches they are."""

_ALONG = "<along another dimension>"
"""The mark of a size that counts no rows."""

_OF = "<the size of>"
"""The mark of a size: the terms of what it is the size of."""


def taken_at(value: Tensor, node: cst.CSTNode) -> Tensor:
    """The number that a value is, out of its graph from some node on, if it was not out of it before."""
    again = any(source.taken is not None for source, _ in value.terms or ())
    own = {id(each) for each in _chain(node)} if again else set()
    terms = value.terms and tuple(_taken(source, factor, node, own) for source, factor in value.terms)
    return Tensor(value.draws, terms, frozenset(), value.scaler, True, value.reduced)


def _taken(source: Source, factor: Factor, node: cst.CSTNode, own: set[int]) -> tuple[Source, Factor]:
    if source.taken is None:
        return replace(source, taken=node, doubt=factor.doubt), replace(factor, doubt="")
    return (replace(source, taken=node) if id(source.taken) in own else source), factor


def _chain(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The calls and attributes that a node is the last one of: `loss`, `loss.detach`, `loss.detach()` of `loss.detach().cpu()`."""
    inner: cst.CSTNode | None = node
    while inner is not None:
        yield inner
        if isinstance(inner, cst.Call) and not isinstance(inner.func, cst.Attribute) and len(inner.args) == 1:
            inner = inner.args[0].value  # `float(loss.detach())`
        else:
            inner = inner.func if isinstance(inner, cst.Call) else inner.value if isinstance(inner, cst.Attribute) else None


def is_taken(value: Any) -> TypeGuard[Tensor]:
    """Whether a value is a number that was taken of losses, or made of such alone."""
    return type(value) is Tensor and bool(value.terms) and all(source.taken is not None for source, _ in value.terms or ())


def rows_in(value: Any) -> float:
    """In how many batches the rows are that a value counts; 0 where it counts none."""
    if type(value) is not Tensor or value.terms is not None:
        return 0.0
    return float(value.kept.get(_ROWS, 1.0 if value.text in SIZES else 0.0))


def along(made: Tensor, dimension: Any, of: Tensor) -> Tensor:
    """A size of a value, or a part of one, which is no number of rows if it was asked for along another dimension than the first."""
    if number(dimension) not in (None, 0):
        made.kept[_ALONG] = True
    if _OF in of.kept or of.terms:
        made.kept[_OF] = of.kept.get(_OF) or frozenset(source for source, _ in of.terms or ())
    return made


def over_own_rows(graph: Tensor, size: Tensor) -> Tensor | None:
    """A sum over the rows of a micro-batch, divided by how many these are: their mean; None for everything else."""
    terms = graph.terms or ()
    own = size.draws <= graph.draws if size.draws else size.kept.get(_OF, frozenset()) & {source for source, _ in terms}
    if not rows_in(size) or _ALONG in size.kept or not own:
        return None
    if len({source.micro for source, _ in terms}) > 1 or any(factor.doubt != OVER_ROWS or factor.share for _, factor in terms):
        return None
    mean = tuple((source, replace(factor, doubt="")) for source, factor in terms)
    return Tensor(graph.draws, mean, graph.models, graph.scaler, graph.detached, graph.reduced)


def of_rows(kind: type, left: Any, right: Any) -> Tensor | None:
    """What a sum of two numbers of rows is, or a number that was taken weighed by one; None for everything else.

    A batch counts as one row: that is as many as a data set has of them.
    """
    first, second = rows_in(left), rows_in(right)
    if kind is cst.Add and first and second:
        made = Tensor(left.draws | right.draws, None, left.models | right.models)
        made.kept[_ROWS] = first + second
        return made
    if kind is cst.Multiply and first and is_taken(right):
        return right.scaled_by(Factor(first))
    if kind is cst.Multiply and second and is_taken(left):
        return left.scaled_by(Factor(second))
    if kind is cst.Divide and second and is_taken(left):
        return left.scaled_by(Factor(1.0 / second, by=second))
    if kind is cst.Divide and isinstance(left, Tensor) and first and number(right) == 1:
        return left
    return None
