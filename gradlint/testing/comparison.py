"""`assert_equals_large_batch`: training with micro-batches must equal training with the large batch."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import torch

from gradlint.testing.batches import Join
from gradlint.testing.difference import AccumulationMismatch, CannotCompare, Difference
from gradlint.testing.gradients import clipped_inside, explain_gradients, hidden_by_clip
from gradlint.testing.losses import compare_losses
from gradlint.testing.neutral import batch_statistics
from gradlint.testing.rates import compare_rates
from gradlint.testing.recording import Run, Step
from gradlint.testing.tensors import Tolerance, close, differences, largest, minus, tolerance_of
from gradlint.testing.trainings import Model, Train, Trainings, prepare
from gradlint.testing.updates import compare_updates

_WEIGHTS_ATOL = 1e-6


def assert_equals_large_batch(
    train: Train,
    model: Model,
    batches: Iterable[Any],
    accumulation: int | None = None,
    *,
    reference: Train | None = None,
    join: Join | None = None,
    exact_tail: bool = False,
    losses: bool = False,
    dtype: torch.dtype | None = torch.float64,
    device: str = "cpu",
    rtol: float | None = None,
    atol: float | None = None,
    seed: int = 0,
) -> None:
    """Assert that a training function gives the same result with micro-batches as with large batches.

    `train(model, batches, accumulation)` is your own code: it builds the optimizer, goes through the batches once, and steps
    after every `accumulation` of them. It runs twice, on copies of the model: with the micro-batches, and with the samples of
    each window joined into one batch and `accumulation=1`. A function of two arguments treats all its batches as one window.
    If the number of accumulation steps is fixed in your code, pass a `reference` that trains with large batches.

    The runs must agree in the number of optimizer steps, in the gradients and learning rates of each, and in the weights. With
    `losses`, they must also agree in the losses that `train` returns: one number, or one for each update.

    `model` is a module, which is copied and never changed, or a function that returns a new one. `join` makes one batch of a
    list of batches; without it, tensors are joined along their first dimension, in tuples, lists, mappings and dataclasses.

    The loss of a partial last window may be divided by `accumulation`, so each sample weighs the same, or by its own number of
    micro-batches. With `exact_tail`, only the second is accepted.

    Dropout is off, because its masks cannot agree. BatchNorm uses its running statistics, with a warning: in real training, its
    statistics are those of the micro-batches, so it never equals the large batch.

    Everything runs in float64 on the CPU. The two sums add the same numbers in different orders, which rounds differently: to
    about 1e-15 in float64, but 1e-6 in float32, where Adam divides small gradients by themselves and makes large steps of
    rounding errors. `dtype=None` keeps the types of the model. A gradient may be off by `rtol` of its largest element, plus
    `atol` of the largest element of all gradients: 1e-6 and 1e-9 in float64, 1e-3 and 1e-5 in float32, 5e-2 and 1e-3 in half
    precision. Real bugs are off by whole factors.

    Raises AccumulationMismatch, an AssertionError with the first difference as data, or CannotCompare if the comparison is not
    possible or would show nothing.
    """
    __tracebackhide__ = True
    trainings = prepare(train, model, tuple(batches), accumulation, reference, join, dtype, device, seed)
    types = {each.dtype for each in trainings.model.parameters() if each.requires_grad} if dtype is None else {dtype}
    within = tolerance_of(types, rtol, atol)
    statistics = batch_statistics(trainings.model)
    whole = trainings.whole()
    _require_training(trainings, whole, reference is not None)
    found = _stale(whole) or _empty(whole)
    try:
        run = whole if found is not None else trainings.accumulated()
    except (CannotCompare, AssertionError):
        raise
    except Exception as error:
        raise AccumulationMismatch(_raised(error), trainings.accumulation) from error
    found = found or compare(trainings, run, whole, within)
    if found is not None and _is_tail(found, trainings) and not exact_tail:
        share, full = trainings.tail / trainings.accumulation, len(trainings.windows) - 1
        scaled = trainings.whole(scale=lambda steps: share if steps >= full * whole.optimizers else 1.0)
        found = compare(trainings, run, scaled, within) and found
    if found is None and losses:
        found = compare_losses(trainings, run, whole, within, exact_tail=exact_tail)
    found = found or clipped_inside(trainings, within)
    if found is not None:
        raise AccumulationMismatch(found, trainings.accumulation, _notes(found, run, whole, statistics))
    if statistics:
        warnings.warn(
            f"the batch normalization in {', '.join(statistics[:3])} was compared with fixed statistics. In training, its "
            "statistics are those of the micro-batches, not of the large batch (GRD502).",
            stacklevel=2,
        )


def compare(trainings: Trainings, run: Run, whole: Run, within: Tolerance) -> Difference | None:
    """The first difference between a run and the large batch's, in the order in which it came about."""
    found = compare_updates(trainings, run, whole)
    if found is not None:
        return found
    for number in range(whole.optimizers):
        for update, (step, expected) in enumerate(zip(run.of(number), whole.of(number), strict=True), 1):
            found = _compare_step(trainings, step, expected, update, within)
            found = found or compare_rates(trainings, run, whole, number, update)
            if found is not None:
                return found
    return _compare_end(trainings, run, whole, within)


def _compare_step(trainings: Trainings, step: Step, expected: Step, update: int, within: Tolerance) -> Difference | None:
    if not close(step.gradients, expected.gradients, within):
        return explain_gradients(trainings, step, expected, update, within)
    clipped = not close(expected.gradients, expected.accumulated, within)
    if update == 1 and clipped and not close(step.accumulated, expected.accumulated, within):
        return hidden_by_clip(trainings, within)
    return None


def _compare_end(trainings: Trainings, run: Run, whole: Run, within: Tolerance) -> Difference | None:
    start = {name: each.detach() for name, each in trainings.fresh().named_parameters()}
    moved, expected = minus(run.weights, start), minus(whole.weights, start)
    allowed = Tolerance(within.rtol, max(within.atol, _WEIGHTS_ATOL))
    apart = differences(moved, expected, allowed)
    if not apart:
        return compare_rates(trainings, run, whole, -1, 0)
    return Difference(
        "gradients and rates agree at every update, but the weights differ at the end",
        "something else changes them, as often as there are micro-batches",
        parameters=apart,
    )


def _require_training(trainings: Trainings, whole: Run, given: bool) -> None:
    name = "the reference" if given else "the training function"
    if not whole.passes:
        raise CannotCompare(f"{name} runs no backward pass through the model that it is given: does it train another one?")
    if not whole.steps:
        raise CannotCompare(
            f"{name} makes no optimizer step on the model, given {_batches(len(trainings.large))} and accumulation=1. Does it use "
            "its `accumulation` argument, and build its optimizer from the model that it is given? If the number of "
            "accumulation steps is fixed in the code, pass `reference=`, a function that trains with large batches."
        )
    for number in range(whole.optimizers):
        steps = len(whole.of(number))
        if steps != len(trainings.large):
            raise CannotCompare(
                f"{name} steps {steps} times, given {_batches(len(trainings.large))} and accumulation=1. It must go through the "
                "batches once, and step after each of them."
            )
    if not largest(minus(whole.weights, whole.steps[0].weights)) and largest(whole.steps[0].gradients):
        raise CannotCompare(f"{name} steps, but no weight changes: is the learning rate zero?")


def _batches(count: int) -> str:
    return f"{count} large batch{'es' if count > 1 else ''}"


def _empty(whole: Run) -> Difference | None:
    if all(not largest(each.gradients) for each in whole.steps):
        why = "they are zeroed between the backward pass and the step, or never reach the optimizer"
        return Difference("every gradient is zero when the optimizer steps, even with large batches", why, "GRD206", 1)
    return None


def _stale(whole: Run) -> Difference | None:
    for number in range(whole.optimizers):
        for update, each in enumerate(whole.of(number), 1):
            if each.stale:
                what = "the gradients still hold those of the update before, even with large batches"
                return Difference(what, "they are never zeroed", "GRD205", update)
    return None


def _raised(error: Exception) -> Difference:
    code = "GRD304" if "unscale_() has already been called" in str(error) else ""
    what = f"training raises {type(error).__name__} with micro-batches, and not with large batches"
    return Difference(what, str(error).partition("\n")[0].rstrip("."), code)


def _is_tail(found: Difference, trainings: Trainings) -> bool:
    return bool(trainings.tail) and found.update in (0, len(trainings.windows))


def _notes(found: Difference, run: Run, whole: Run, statistics: list[str]) -> tuple[str, ...]:
    notes = []
    if (run.draws or whole.draws) and not found.code:
        notes.append("the training function draws random numbers, which cannot agree between the two runs")
    if statistics:
        notes.append("batch normalization was compared with fixed statistics: in training, it never equals the large batch")
    return tuple(notes)
