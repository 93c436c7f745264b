"""What a comparison found: the first difference as data, and the errors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ParameterDifference:
    """One parameter whose gradient or weight differs.

    `factor` is how many times as large it is as in the large batch, None if it is not a multiple. `error` is the largest
    difference of an element, relative to the largest element of the large batch's.
    """

    name: str
    factor: float | None
    error: float


@dataclass(frozen=True)
class Difference:
    """The first difference between accumulated training and the large batch.

    `what` says what differs, and `why` what most likely causes it ("" if unknown). `code` is the rule about that cause, or "".
    `update` counts optimizer steps from 1; it is 0 if the difference is not about one update. `factor` is the factor that all
    gradients share. `weights` are the factors of the micro-batches in the window, each relative to its gradient alone, or those
    by which the gradients shrink between them.
    """

    what: str
    why: str = ""
    code: str = ""
    update: int = 0
    factor: float | None = None
    weights: tuple[float, ...] = ()
    parameters: tuple[ParameterDifference, ...] = ()


class AccumulationMismatch(AssertionError):
    """Accumulated training does not equal the large batch. `difference` holds the reason as data."""

    def __init__(self, difference: Difference, accumulation: int, notes: tuple[str, ...] = ()) -> None:
        super().__init__(_report(difference, accumulation, notes))
        self.difference = difference


class CannotCompare(ValueError):
    """The comparison is impossible, or would show nothing. The message says why, and what to do."""


for _each in (ParameterDifference, Difference, AccumulationMismatch, CannotCompare):
    _each.__module__ = "gradlint.testing"  # where they are imported from, as a traceback shows

_MOST = 3


def _report(found: Difference, accumulation: int, notes: tuple[str, ...]) -> str:
    place = f" at update {found.update}" if found.update else ""
    lines = [f"accumulation={accumulation} does not train like the large batch{place}:"]
    code = f" ({found.code})" if found.code else ""
    lines.append(f"  {found.what}{': ' if found.why else ''}{found.why}{code}")
    if found.factor is None:
        lines += [f"  {_parameter(each)}" for each in found.parameters[:_MOST]]
        left = len(found.parameters) - _MOST
        lines += [f"  and {left} more"] if left > 0 else []
    lines += [f"  note: {each}" for each in notes]
    lines += [f"  `gradlint rule {found.code}` explains this bug."] if found.code else []
    return "\n".join(lines)


def _parameter(each: ParameterDifference) -> str:
    if each.factor is not None:
        return f"{each.name}: {each.factor:.3f} times as large"
    return f"{each.name}: off by {each.error:.1%}" if each.error < 10 else f"{each.name}: {each.error:.1e} times its size off"
