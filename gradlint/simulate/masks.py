"""Losses that are means over the tokens that a mask keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradlint.simulate.machine import Machine
from gradlint.simulate.values import Opaque, Tensor

MASKS = "<masks>"
"""The mark of a criterion that was built with a setting of what to ignore."""
_RESHAPES = frozenset("flatten view reshape transpose permute swapaxes movedim".split())


def spread(machine: Machine, value: Tensor, name: str) -> None:
    """Record a method that may put the tokens of all samples side by side, or move the classes of each token to the front."""
    if name in _RESHAPES:
        machine.spread.add(value)


def of_tokens(machine: Machine, callee: Any, args: Sequence[Any], kwargs: Mapping[str, Any], made: Tensor) -> Tensor:
    """The result of a call. Its terms are means over tokens if the call ignores some of the tokens that it gets.

    A classifier of whole examples may have the same argument, but then ignores nothing.
    """
    told = "ignore_index" in kwargs or (type(callee) is Opaque and MASKS in callee.kept)
    if (
        not told
        or kwargs.get("reduction", "mean") != "mean"
        or not any(each in machine.spread for each in args if _is_data(each))
    ):
        return made
    marked = tuple((replace(source, tokens=True), factor) for source, factor in made.terms or ())
    return Tensor(made.draws, marked, made.models, made.scaler, made.detached, made.reduced)


def _is_data(value: Any) -> bool:
    return type(value) is Tensor
