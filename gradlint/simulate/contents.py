"""What a value contains: the tensors in lists, tuples and dictionaries, their terms, and what is shown of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, TypeGuard

import libcst as cst

from gradlint.simulate.values import (
    Factor,
    Num,
    Opaque,
    Shown,
    Source,
    Tensor,
    Terms,
    in_order,
)

_SINGLE = frozenset((Tensor, Num, Opaque, int, float, str, bool, type(None)))
"""Kinds of values that contain no others."""


def terms_in(values: Any) -> tuple[tuple[Source, Factor], ...]:
    """The terms of everything that some values contain or show."""
    found = (value for value in flattened(values) if is_data(value) or isinstance(value, Shown))
    return tuple(term for value in found for term in value.terms or ())


def shown_in(values: Iterable[Any], nodes: Sequence[cst.CSTNode | None] = ()) -> str:
    """A string that shows some values, with the expressions that they come from."""
    made, values = Shown("text"), list(values)
    made.terms = terms_in(values)
    made.values = tuple(values_in(values, nodes)) if made.terms else ()
    return made if made.terms else "text"


def values_in(values: Sequence[Any], nodes: Sequence[cst.CSTNode | None] = ()) -> Iterator[tuple[Terms, cst.CSTNode | None]]:
    """The terms of each value that varies with the data, and the expression that it comes from, if we see it."""
    for value, node in zip_longest(values, nodes[: len(values)]):
        if isinstance(value, dict) and isinstance(node, cst.Dict):
            parts = [each.value for each in node.elements]
            yield from values_in(list(value.values()), parts if len(parts) == len(value) else ())
            continue
        for each in flattened((value,)):
            if isinstance(each, Shown):
                yield from each.values
            elif is_data(each) and each.terms:
                yield each.terms, node if each is value else None


def flattened(values: Any, depth: int = 3) -> list[Any]:
    """The values in some containers, up to a limit."""
    found: list[Any] = []
    for value in values:
        if type(value) in _SINGLE:  # most values are single, and checking for every kind of container is slow
            found.append(value)
            if len(found) > 200:
                break
            continue
        if isinstance(value, (set, frozenset)):
            value = in_order(value)
        if isinstance(value, (list, tuple)) and depth:
            found.extend(flattened(list(value)[:50], depth - 1))
        elif isinstance(value, dict) and depth:
            found.extend(flattened(list(value.values())[:50], depth - 1))
        else:
            found.append(value)
        if len(found) > 200:
            break
    return found


def models_of(value: Any) -> frozenset[str]:
    """The unknown objects that a value was made from."""
    found = getattr(value, "models", None)
    return found if isinstance(found, frozenset) else frozenset()


def is_data(value: Any) -> TypeGuard[Tensor]:
    """Whether a value varies with the data."""
    return type(value) is Tensor


def draws_in(item: Any) -> frozenset[int]:
    """The batches in an item that a loop iterates over."""
    if type(item) is Tensor:
        return item.draws
    if isinstance(item, (tuple, list)):
        return frozenset().union(*(draws_in(each) for each in item[:20]))
    return frozenset()
