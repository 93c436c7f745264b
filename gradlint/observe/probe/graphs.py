"""What a loss was multiplied and divided by after it was computed, as its autograd graph tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

MOST = 400
"""The maximum number of nodes of one graph to visit."""
_THROUGH = frozenset(
    "ToCopyBackward0 CopyBackwards CloneBackward0 ViewBackward0 UnsafeViewBackward0 ReshapeAliasBackward0 SqueezeBackward0 "
    "SqueezeBackward1 UnsqueezeBackward0 AliasBackward0 ExpandBackward0 SelectBackward0 UnbindBackward0 NanToNumBackward0 "
    "ReshapeBackward0 SumBackward0 StackBackward0 CatBackward0 ContiguousBackward0 ConvertToFp32Backward _ForwardRecompute".split()
)
"""Nodes that pass the gradient of a loss on as it is, if the loss is one number."""


@dataclass
class Term:
    """A term of a loss: the graph node where it begins, what multiplied it since, and the divisions on the way.

    `order` is the number of the node: of two nodes, the later has the larger. `factor` is None if something hid it. `steps` are
    the numbers that divided (`-1`) or multiplied (`1`) it, each with the number of its node.
    """

    node: Any
    name: str
    order: int
    factor: float | None = 1.0
    steps: list[tuple[int, float, int]] = field(default_factory=list)

    @property
    def sums(self) -> bool:
        """Whether it is a loss that says of itself that it sums over the rows of a batch."""
        return getattr(self.node, "_saved_reduction", 1) == 2

    @property
    def is_plain_sum(self) -> bool:
        """Whether it is a sum of something: over the rows of a batch, or over weights if it is a regularizer."""
        return self.name.startswith("SumBackward")


def terms(loss: Any) -> list[Term]:
    """The terms of a loss, or none if it has no graph."""
    root = loss.grad_fn
    return list(_terms(root, 1.0, [], {"left": MOST})) if root is not None else []


def _terms(node: Any, factor: float | None, steps: list[tuple[int, float, int]], budget: dict[str, int]) -> Iterator[Term]:
    budget["left"] -= 1
    name = node.name()
    parents = [each for each, _ in node.next_functions if each is not None]
    kind = _KINDS.get(name)
    if budget["left"] < 0 or not parents or _begins(name, node, parents):
        yield Term(node, name, node._sequence_nr(), factor if budget["left"] >= 0 else None, steps)
        return
    if kind is None:
        for each in parents:
            yield from _terms(each, factor, steps, budget)
        return
    if kind is _nothing:
        yield from _sum(node, factor, steps, budget)
        return
    number, way = kind(node)
    own = (factor * (number if way > 0 else 1 / number)) if factor is not None and number else None
    further = [*steps, (way, number, node._sequence_nr())] if number is not None and number != 1 else steps
    for each in parents:
        yield from _terms(each, own, further, budget)


def _sum(node: Any, factor: float | None, steps: list[tuple[int, float, int]], budget: dict[str, int]) -> Iterator[Term]:
    """The terms of both sides. The second one may have a weight."""
    alpha = float(getattr(node, "_saved_alpha", 1))
    for place, (each, _) in enumerate(node.next_functions):
        if each is not None:
            weight = (-alpha if node.name().startswith("Sub") else alpha) if place else 1.0
            yield from _terms(each, factor * weight if factor is not None else None, steps, budget)


def _begins(name: str, node: Any, parents: list[Any]) -> bool:
    """Whether a term begins at a node: it is no sum, product or quotient of numbers."""
    if name in ("MeanBackward0", "SumBackward0", "MeanBackward1", "SumBackward1"):
        return not all(_is_number_list(each) for each in parents)
    if name in ("MulBackward0", "DivBackward0"):
        return len(parents) > 1  # by something that has a gradient itself
    return name not in _THROUGH and name not in _KINDS


def _is_number_list(node: Any) -> bool:
    """Whether a node puts single losses side by side."""
    return node.name() in ("StackBackward0", "CatBackward0")


def _mean(node: Any) -> tuple[float | None, int]:
    count = getattr(node, "_saved_self_sym_numel", None)
    return (float(count), -1) if count else (None, -1)


def _scalar(way: int) -> Callable[[Any], tuple[float | None, int]]:
    def read(node: Any) -> tuple[float | None, int]:
        for name in ("_saved_other", "_saved_self"):
            try:
                saved = getattr(node, name, None)
            except RuntimeError:  # it was changed in place since
                return None, way
            if saved is not None:
                return (float(saved), way) if saved.numel() == 1 else (None, way)
        return None, way

    return read


def _nothing(node: Any) -> tuple[float | None, int]:
    del node
    return 1.0, 1


def _minus(node: Any) -> tuple[float | None, int]:
    del node
    return -1.0, 1


_KINDS: dict[str, Callable[[Any], tuple[float | None, int]]] = {
    "DivBackward0": _scalar(-1),
    "MulBackward0": _scalar(1),
    "MeanBackward0": _mean,
    "MeanBackward1": _mean,
    "NegBackward0": _minus,
    "AddBackward0": _nothing,
    "SubBackward0": _nothing,
}
