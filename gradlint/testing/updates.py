"""Compares when the optimizers step."""

from __future__ import annotations

from gradlint.testing.difference import Difference
from gradlint.testing.recording import Run
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
        per_batch = max(whole.of(number)[0].end - whole.of(number)[0].begin, 1)
        counts = [(each.end - each.begin) / per_batch for each in run.of(number)]
        found = _explain(counts, trainings.windows, trainings)
        if found is not None:
            return found
    return None


def _explain(counts: list[float], expected: list[int], trainings: Trainings) -> Difference | None:
    if counts == [float(each) for each in expected]:
        return None
    n, steps = trainings.accumulation, f"{len(counts)} step{'s' if len(counts) != 1 else ''} instead of {len(expected)}"
    if len(counts) == len(trainings.micro) and set(counts) == {1.0}:
        return Difference(steps, "the optimizer steps on every micro-batch", "GRD204")
    if counts == expected[:-1]:
        size = expected[-1]
        left = f"{size} micro-batch{'es' if size > 1 else ''}"
        if trainings.tail:
            return Difference(steps, f"the last, partial window of {left} never reaches the optimizer", "GRD202")
        return Difference(steps, f"the last window of {left} never reaches the optimizer")
    if counts[0] == 1 and n > 1 and all(each == n for each in counts[1:-1]):
        return Difference(
            f"the optimizer steps after {_listed(counts)} micro-batches instead of {_listed(expected)}",
            "the first window ends after its first micro-batch",
            "GRD201",
        )
    return Difference(f"the optimizer steps after {_listed(counts)} micro-batches instead of {_listed(expected)}")


def _listed(counts: list[float] | list[int]) -> str:
    shown = [f"{each:g}" for each in counts[:8]]
    return ", ".join(shown) + (", ..." if len(counts) > 8 else "")
