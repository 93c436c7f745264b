"""Numbers taken from losses to be reported: they leave the graph, and are summed, weighted by rows, and averaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeGuard

import libcst as cst

from gradlint.simulate.values import OVER_ROWS, SIZES, VARYING, Factor, Source, Tensor, number

_ROWS = "<rows>"
"""Marks a number of rows. The value is how many batches they come from."""

_ALONG = "<along another dimension>"
"""Marks a size that does not count rows."""

_OF = "<the size of>"
"""Marks a size. The value is the sources of the loss whose size it is."""


def taken_at(value: Tensor, node: cst.CSTNode) -> Tensor:
    """The number that a value is, out of the graph from some node on, if it did not leave it earlier."""
    again = any(source.taken is not None for source, _ in value.terms or ())
    own = {id(each) for each in _chain(node)} if again else set()
    terms = value.terms and tuple(_taken(source, factor, node, own) for source, factor in value.terms)
    return Tensor(value.draws, terms, frozenset(), value.scaler, True, value.reduced)


def _taken(source: Source, factor: Factor, node: cst.CSTNode, own: set[int]) -> tuple[Source, Factor]:
    if source.taken is None:
        return replace(source, taken=node, doubt=factor.doubt), replace(factor, doubt="")
    return (replace(source, taken=node) if id(source.taken) in own else source), factor


def _chain(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The chain of calls and attributes that ends in a node: `loss`, `loss.detach`, `loss.detach()` for `loss.detach().cpu()`."""
    inner: cst.CSTNode | None = node
    while inner is not None:
        yield inner
        if isinstance(inner, cst.Call) and not isinstance(inner.func, cst.Attribute) and len(inner.args) == 1:
            inner = inner.args[0].value  # `float(loss.detach())`
        else:
            inner = inner.func if isinstance(inner, cst.Call) else inner.value if isinstance(inner, cst.Attribute) else None


def is_taken(value: Any) -> TypeGuard[Tensor]:
    """Whether a value is a number taken from losses, or computed only from such numbers."""
    return type(value) is Tensor and bool(value.terms) and all(source.taken is not None for source, _ in value.terms or ())


def rows_in(value: Any) -> float:
    """How many batches the rows that a value counts come from; 0 if it does not count rows."""
    if type(value) is not Tensor or value.terms is not None:
        return 0.0
    return float(value.kept.get(_ROWS, 1.0 if value.text in SIZES else 0.0))


def along(made: Tensor, dimension: Any, of: Tensor) -> Tensor:
    """A size of a value, or a part of one. Along any dimension but the first, it is not a number of rows."""
    if number(dimension) not in (None, 0):
        made.kept[_ALONG] = True
    if _OF in of.kept or of.terms:
        made.kept[_OF] = of.kept.get(_OF) or frozenset(source for source, _ in of.terms or ())
    return made


def over_own_rows(graph: Tensor, size: Tensor) -> Tensor | None:
    """A sum over the rows of a micro-batch divided by their number, which is a mean; None for everything else."""
    terms = graph.terms or ()
    own = size.draws <= graph.draws if size.draws else size.kept.get(_OF, frozenset()) & {source for source, _ in terms}
    if not rows_in(size) or _ALONG in size.kept or not own:
        return None
    if len({source.micro for source, _ in terms}) > 1 or any(factor.doubt != OVER_ROWS or factor.share for _, factor in terms):
        return None
    mean = tuple((source, replace(factor, doubt="")) for source, factor in terms)
    return Tensor(graph.draws, mean, graph.models, graph.scaler, graph.detached, graph.reduced)


def of_weighted_rows(value: Tensor) -> Tensor:
    """The mean of a value over its rows. Weights of the rows that come with a micro-batch, such as soft labels, do not count.

    A mean is taken of rows only: weights of rows say nothing about how the loss of the micro-batch is weighted. A number that
    was counted in the data may do that.
    """
    terms = tuple(
        (source, replace(factor, doubt="", share=None) if _weighs_rows(factor, value) else factor)
        for source, factor in value.terms or ()
    )
    return replace(value, terms=terms)


def _weighs_rows(factor: Factor, value: Tensor) -> bool:
    """Whether what is unknown about a factor is a weight of each row that came with the data."""
    weight = factor.share[0] if factor.share is not None and factor.doubt == VARYING else None
    return weight is not None and bool(weight.draws) and weight.draws <= value.draws and weight.text not in {*SIZES, "sum"}


def of_rows(kind: type, left: Any, right: Any) -> Tensor | None:
    """A sum of two numbers of rows, or a taken number weighted by one; None for everything else.

    A batch counts as one row, just as for the size of a data set.
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
