"""Compares learning rates, and explains a schedule that advances at the wrong time."""

from __future__ import annotations

from math import isclose

from gradlint.testing.difference import Difference
from gradlint.testing.recording import Run
from gradlint.testing.trainings import Trainings


def compare_rates(trainings: Trainings, run: Run, whole: Run, optimizer: int, update: int) -> Difference | None:
    """Explain the learning rate of an update that differs, or with update 0, one that is left at the end."""
    if update:
        pairs = [(run.of(optimizer)[update - 1].rates, whole.of(optimizer)[update - 1].rates)]
    else:
        pairs = list(zip(run.rates, whole.rates, strict=True))
    for found, expected in pairs:
        for rate, wanted in zip(found, expected, strict=False):
            if not isclose(rate, wanted, rel_tol=1e-6, abs_tol=1e-12):
                return _explain(trainings, whole, rate, wanted, update)
    return None


def _explain(trainings: Trainings, whole: Run, rate: float, wanted: float, update: int) -> Difference:
    place = "" if update else " after the last update"
    what = f"the learning rate is {rate:.6g} instead of {wanted:.6g}{place}"
    n, due = trainings.accumulation, update - 1
    counts = (update * n - 1, update * n) if update else (len(trainings.micro),)
    advanced = next((each for each in counts if _has_rate(trainings, rate, each)), None)
    if advanced is not None:
        usual = f"instead of {due}" if update else f"instead of {len(trainings.windows)}"
        return Difference(what, f"the schedule has advanced {advanced} times {usual}", "GRD401", update)
    if update == 1 or _moves_inside(trainings):
        return Difference(what, "the schedule advances before the window is complete", "GRD401", update)
    return Difference(what, "the schedule's length does not count updates", "GRD402", update)


def _has_rate(trainings: Trainings, rate: float, count: int) -> bool:
    """Whether a schedule that advances with every micro-batch has this rate after so many of them, and not before."""
    plain = trainings.one_by_one()
    rates = [each.rates[0] for each in plain.of(0) if each.rates] + [each[0] for each in plain.rates[:1] if each]
    return count < len(rates) and [isclose(each, rate, rel_tol=1e-6) for each in rates[: count + 1]] == [False] * count + [True]


def _moves_inside(trainings: Trainings) -> bool:
    """Whether a rate changes between two micro-batches of one window."""
    run = trainings.accumulated(details=True)
    return any(len({each.rates for each in run.details[step.begin : step.end] if each.rates}) > 1 for step in run.steps)
