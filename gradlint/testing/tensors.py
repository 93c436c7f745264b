"""Compares collections of tensors by name: within a tolerance, up to one factor, and tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gradlint.testing.difference import ParameterDifference

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Tolerance:
    """How far apart two tensors may be: `rtol` of the largest element of the tensor, plus `atol` of the largest of all tensors."""

    rtol: float
    atol: float


_BY_TYPE = {
    torch.float64: Tolerance(1e-6, 1e-9),
    torch.float32: Tolerance(1e-3, 1e-5),
    torch.bfloat16: Tolerance(5e-2, 1e-3),
    torch.float16: Tolerance(5e-2, 1e-3),
}


def tolerance_of(types: Iterable[torch.dtype], rtol: float | None, atol: float | None) -> Tolerance:
    """The tolerance of the coarsest of some types, unless numbers are given."""
    known = [_BY_TYPE[each] for each in types if each in _BY_TYPE]
    usual = max(known, key=lambda each: each.rtol, default=_BY_TYPE[torch.float64])
    return Tolerance(usual.rtol if rtol is None else rtol, usual.atol if atol is None else atol)


def times(tensors: Tensors, factor: float) -> dict[str, Tensor]:
    """All tensors, multiplied."""
    return {name: each * factor for name, each in tensors.items()}


def total(parts: Iterable[Tensors]) -> dict[str, Tensor]:
    """The sum of collections, in which a missing tensor is zero."""
    found: dict[str, Tensor] = {}
    for part in parts:
        for name, each in part.items():
            found[name] = found[name] + each if name in found else each
    return found


def minus(left: Tensors, right: Tensors) -> dict[str, Tensor]:
    """The differences, in which a missing tensor is zero."""
    return total([left, times(right, -1.0)])


def largest(tensors: Tensors) -> float:
    """The largest absolute value in a collection."""
    return max((_top(each) for each in tensors.values()), default=0.0)


def close(found: Tensors, expected: Tensors, within: Tolerance) -> bool:
    """Whether all tensors agree. A missing tensor is zero."""
    return not _apart(found, expected, within)


def differences(found: Tensors, expected: Tensors, within: Tolerance) -> tuple[ParameterDifference, ...]:
    """The tensors that differ, the worst first."""
    apart = [
        ParameterDifference(name, factor(_only(name, found), _only(name, expected), within), error)
        for name, error in _apart(found, expected, within).items()
    ]
    return tuple(sorted(apart, key=lambda each: -each.error))


def factor(found: Tensors, expected: Tensors, within: Tolerance) -> float | None:
    """The one number by which all tensors are larger than expected; None if there is none."""
    square = sum(float((each.double() ** 2).sum()) for each in expected.values())
    product = sum(float((found[name].double() * each.double()).sum()) for name, each in expected.items() if name in found)
    best = product / square if square else 0.0
    return best if best and close(found, times(expected, best), within) else None


def _apart(found: Tensors, expected: Tensors, within: Tolerance) -> dict[str, float]:
    """The relative errors of the tensors that differ, by name."""
    allowed = within.atol * largest(expected)
    apart = {}
    for name, each in minus(found, expected).items():
        error, size = _top(each), _top(expected[name]) if name in expected else 0.0
        if not error <= within.rtol * size + allowed:  # a NaN differs, too
            apart[name] = error / size if size else float("inf")
    return apart


def _only(name: str, tensors: Tensors) -> dict[str, Tensor]:
    return {name: tensors[name]} if name in tensors else {}


def _top(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0
