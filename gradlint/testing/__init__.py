"""Tests that training with accumulated gradients equals training with the large batch. The only part of gradlint that needs PyTorch.

Importing this package imports neither PyTorch nor pytest: each name is imported on demand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlint.testing.comparison import assert_equals_large_batch as assert_equals_large_batch
    from gradlint.testing.difference import AccumulationMismatch as AccumulationMismatch
    from gradlint.testing.difference import CannotCompare as CannotCompare
    from gradlint.testing.difference import Difference as Difference
    from gradlint.testing.difference import ParameterDifference as ParameterDifference

_HOMES = {
    "assert_equals_large_batch": "comparison",
    "AccumulationMismatch": "difference",
    "CannotCompare": "difference",
    "Difference": "difference",
    "ParameterDifference": "difference",
}
__all__ = ["AccumulationMismatch", "CannotCompare", "Difference", "ParameterDifference", "assert_equals_large_batch"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"gradlint.testing.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
