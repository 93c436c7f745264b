"""Copies, joins and measures batches: tensors, or tuples, lists, mappings and dataclasses of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gradlint.testing.difference import CannotCompare

Join = Callable[[list[Any]], Any]


def copied(batch: Any, dtype: torch.dtype | None, device: str) -> Any:
    """A copy of a batch, with its floating-point tensors in another type."""

    def one(tensor: Tensor) -> Tensor:
        wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        return tensor.detach().to(device=device, dtype=wanted, copy=True).requires_grad_(tensor.requires_grad)

    return _mapped(batch, one)


def joined(batches: Sequence[Any], join: Join | None) -> Any:
    """The samples of several batches as one batch."""
    if join is not None:
        return join(list(batches))
    return batches[0] if len(batches) == 1 else _joined(list(batches), "a batch")


def samples(batch: Any) -> int | None:
    """The number of samples in a batch: the length of its first tensor. None if it has none."""
    found: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        if tensor.ndim:
            found.append(len(tensor))
        return tensor

    _mapped(batch, count)
    return found[0] if found else None


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        changed = {key: _mapped(each, change) for key, each in value.items()}
        return _like(value, changed)
    if isinstance(value, (list, tuple)):
        return _sequence(value, [_mapped(each, change) for each in value])
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _mapped(getattr(value, each.name), change) for each in fields(value) if each.init})
    return value


def _joined(parts: list[Any], where: str) -> Any:
    first = parts[0]
    if not all(type(each) is type(first) for each in parts):
        kinds = " and ".join(sorted({type(each).__name__ for each in parts}))
        raise CannotCompare(f"the batches cannot be joined: {where} is a {kinds}. Pass `join=`, a function of a list of batches.")
    if isinstance(first, Tensor):
        return _concatenated(parts, where)
    if isinstance(first, Mapping):
        if any(each.keys() != first.keys() for each in parts):
            raise CannotCompare(f"the batches cannot be joined: {where} has different keys in them. Pass `join=`.")
        return _like(first, {key: _joined([each[key] for each in parts], f"{where}[{key!r}]") for key in first})
    if isinstance(first, (list, tuple)):
        return _joined_sequences(parts, where)
    if is_dataclass(first) and not isinstance(first, type):
        names = [each.name for each in fields(first) if each.init]
        return replace(first, **{name: _joined([getattr(each, name) for each in parts], f"{where}.{name}") for name in names})
    if all(each == first for each in parts):
        return first
    raise CannotCompare(
        f"the batches cannot be joined: {where} is a {type(first).__name__} that differs between them. "
        "Pass `join=`, a function that makes one batch of a list of batches."
    )


def _joined_sequences(parts: list[Any], where: str) -> Any:
    first = parts[0]
    if first and all(isinstance(each, (str, bytes)) for part in parts for each in part):
        return _sequence(first, [each for part in parts for each in part])
    if any(len(each) != len(first) for each in parts):
        raise CannotCompare(f"the batches cannot be joined: {where} has different lengths in them. Pass `join=`.")
    return _sequence(first, [_joined(list(each), f"{where}[{at}]") for at, each in enumerate(zip(*parts, strict=True))])


def _concatenated(parts: list[Tensor], where: str) -> Tensor:
    if not parts[0].ndim:
        if all(torch.equal(each, parts[0]) for each in parts):
            return parts[0]
        raise CannotCompare(f"the batches cannot be joined: {where} is one number that differs between them. Pass `join=`.")
    try:
        return torch.cat(parts)
    except RuntimeError as error:
        shapes = ", ".join(str(tuple(each.shape)) for each in parts)
        raise CannotCompare(
            f"the batches cannot be joined: {where} has the shapes {shapes}. "
            "Pad them to the same length, or pass `join=`, a function that pads and joins a list of batches."
        ) from error


def _sequence(like: Any, values: list[Any]) -> Any:
    return type(like)(*values) if hasattr(like, "_fields") else type(like)(values)


def _like(mapping: Any, values: dict[Any, Any]) -> Any:
    if type(mapping) is dict:
        return values
    try:
        made = copy.copy(mapping)
        made.update(values)
    except Exception:
        return values
    return made
