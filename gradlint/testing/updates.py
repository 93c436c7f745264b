"""Compares when the optimizers step."""

from __future__ import annotations

from gradlint.testing.difference import Difference
from gradlint.testing.recording import Run, Step
from gradlint.testing.trainings import Trainings


def compare_updates(trainings: Trainings, run: Run, whole: Run) -> Difference | None:
    """Explain optimizer steps that come after the wrong micro-batches, or never."""
    if not run.steps:
        what = f"no step was made in {len(trainings.micro)} micro-batches"
        return Difference(
            what, "the condition of the step never holds", "GRD202" if trainings.tail == len(trainings.micro) else ""
        )
    if run.optimizers < whole.optimizers:
        return Difference(f"only {run.optimizers} of {whole.optimizers} optimizers step")
    for number in range(whole.optimizers):
        counts = _micro_batches(trainings, run.of(number), run, whole)
        if len(run.of(number)) != len(trainings.windows) or counts not in ([], [float(each) for each in trainings.windows]):
            return _explain(counts or [0.0] * len(run.of(number)), trainings.windows, trainings)
    return None


def _micro_batches(trainings: Trainings, steps: list[Step], run: Run, whole: Run) -> list[float]:
    """The number of micro-batches before each step; empty if unknown.

    Code that adds up the losses of a window runs one backward pass for all of them. There, the calls of the model count.
    """
    micro, large = len(trainings.micro), len(trainings.large)
    if run.passes * large == whole.passes * micro:
        return [(each.end - each.begin) * large / whole.passes for each in steps]
    if run.forwards and run.forwards * large == whole.forwards * micro:
        return [each.forwards * large / whole.forwards for each in steps]
    return []


def _explain(counts: list[float], expected: list[int], trainings: Trainings) -> Difference:
    n, steps = trainings.accumulation, f"{len(counts)} step{'s' if len(counts) != 1 else ''} instead of {len(expected)}"
    if len(counts) == len(trainings.micro) and set(counts) == {1.0}:
        return Difference(steps, "the optimizer steps on every micro-batch", "GRD204")
    if counts == expected[:-1] or (not any(counts) and len(counts) == len(expected) - 1 and trainings.tail):
        size = expected[-1]
        left = f"{size} micro-batch{'es' if size > 1 else ''}"
        if trainings.tail:
            return Difference(steps, f"the last, partial window of {left} never reaches the optimizer", "GRD202")
        return Difference(steps, f"the last window of {left} never reaches the optimizer")
    if not any(counts):
        return Difference(steps)
    if counts[0] < n and all(each == n for each in counts[1:-1]):
        return Difference(
            f"the optimizer steps after {_listed(counts)} micro-batches instead of {_listed(expected)}",
            "the first window ends after its first micro-batch" if counts[0] == 1 else "the first window ends too early",
            "GRD201",
        )
    return Difference(f"the optimizer steps after {_listed(counts)} micro-batches instead of {_listed(expected)}")


def _listed(counts: list[float] | list[int]) -> str:
    shown = [f"{each:g}" for each in counts[:8]]
    return ", ".join(shown) + (", ..." if len(counts) > 8 else "")
