"""Losses that are means over the tokens which no mask leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradlint.simulate.machine import Machine
from gradlint.simulate.values import Opaque, Tensor

MASKS = "<masks>"
"""The mark of a criterion that was told when it was built what it leaves out."""
_RESHAPES = frozenset("flatten view reshape transpose permute swapaxes movedim".split())


def spread(machine: Machine, value: Tensor, name: str) -> None:
    """Note a method that puts the tokens of all samples beside each other, or the classes of each token in front."""
    if name in _RESHAPES:
        machine.spread.add(value)


def of_tokens(machine: Machine, callee: Any, args: Sequence[Any], kwargs: Mapping[str, Any], made: Tensor) -> Tensor:
    """What a call gives; a term that is a mean over tokens, if it is told what to leave out of those that it is given.

    A classifier of whole examples may be told as well, and then leaves out nothing.
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
