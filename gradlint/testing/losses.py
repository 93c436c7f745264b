"""Compares the losses that a training function returns."""

from __future__ import annotations

from collections.abc import Iterable
from math import isclose

from torch import Tensor

from gradlint.testing.difference import CannotCompare, Difference
from gradlint.testing.recording import Run
from gradlint.testing.tensors import Tolerance
from gradlint.testing.trainings import Trainings


def compare_losses(trainings: Trainings, run: Run, whole: Run, within: Tolerance, *, exact_tail: bool) -> Difference | None:
    """Explain returned losses that differ. Without `exact_tail`, a loss of a partial window may have its share of N."""
    found, expected = _numbers(run.returned), _numbers(whole.returned)
    if len(found) != len(expected):
        return Difference(f"the training function returns {len(found)} losses, and {len(expected)} with large batches")
    n = trainings.accumulation
    for at, (loss, wanted) in enumerate(zip(found, expected, strict=True), 1):
        if isclose(loss, wanted, rel_tol=within.rtol, abs_tol=within.atol):
            continue
        if at == len(trainings.windows) and trainings.tail and not exact_tail and isclose(loss * n, wanted * trainings.tail):
            continue
        what, update = f"the returned loss is {loss:.6g} instead of {wanted:.6g}", at if len(found) > 1 else 0
        if isclose(loss * n, wanted, rel_tol=within.rtol):
            return Difference(what, f"it is the loss after its division by {n}", "GRD106", update)
        if isclose(loss, wanted * n, rel_tol=within.rtol):
            return Difference(what, f"it is the sum over {n} micro-batches, not their mean", "", update)
        return Difference(what, "it may be that of one micro-batch only", "GRD108", update)
    return None


def _numbers(returned: object) -> list[float]:
    if isinstance(returned, Tensor):
        return [float(each) for each in returned.detach().reshape(-1)]
    if isinstance(returned, (int, float)):
        return [float(returned)]
    if isinstance(returned, Iterable) and not isinstance(returned, (str, bytes, dict)):
        return [number for each in returned for number in _numbers(each)]
    kind = "nothing" if returned is None else f"a {type(returned).__name__}"
    raise CannotCompare(f"`losses=True` compares what the training function returns, but it returns {kind}")
