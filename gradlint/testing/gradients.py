"""Explains a difference of gradients: which factor each micro-batch has, and which of them the step gets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import isclose

from gradlint.testing.batches import samples
from gradlint.testing.difference import Difference, ParameterDifference
from gradlint.testing.recording import BackwardPass, Step, Tensors
from gradlint.testing.tensors import Tolerance, close, differences, factor, largest, total
from gradlint.testing.trainings import Trainings

_CLIP = "a clip must wait until the window is complete"
_NEAR = 1e-4
"""How exactly a factor is a number like N or 1/N. Fitted factors are good to about 1e-6."""


def explain_gradients(trainings: Trainings, run: Step, whole: Step, update: int, within: Tolerance) -> Difference:
    """Explain why the gradients of an update differ."""
    found = _explain(trainings, run, whole, update, within)
    hidden = hidden_by_clip(trainings, within) if update == 1 and not found.code else None
    return hidden or found


def _explain(trainings: Trainings, run: Step, whole: Step, update: int, within: Tolerance) -> Difference:
    size = trainings.windows[update - 1]
    shared = factor(run.gradients, whole.gradients, within)
    if shared is not None:
        return _uniform(shared, size, trainings.accumulation, update)
    if not largest(run.gradients):
        why = "they are zeroed between the backward pass and the step"
        return Difference("every gradient is zero when the optimizer steps", why, "GRD206", update)
    apart = differences(run.gradients, whole.gradients, within)
    details = trainings.accumulated(details=True)
    passes = details.details[run.begin : run.end]
    if len(passes) == size:
        return replace(_by_micro_batch(trainings, run, whole, passes, within), update=update, parameters=apart)
    return Difference(_count(apart), update=update, parameters=apart)


def hidden_by_clip(trainings: Trainings, within: Tolerance) -> Difference | None:
    """Explain a difference of the first update that a clip hides: it shows if gradients are too small to be clipped."""
    small = 1e-6
    run = trainings.accumulated(scale=lambda _: small).of(0)
    whole = trainings.whole(scale=lambda _: small).of(0)
    shared = factor(run[0].gradients, whole[0].gradients, within)
    if shared is None or isclose(shared, 1.0, rel_tol=_NEAR):
        return None
    found = _uniform(shared, trainings.windows[0], trainings.accumulation, 1)
    return replace(found, what=f"before the clip, {found.what}")


def clipped_inside(trainings: Trainings, within: Tolerance) -> Difference | None:
    """Explain a clip inside the first window whose threshold these gradients do not reach: it shows if they are large."""
    large = 1e6
    run = trainings.accumulated(scale=lambda _: large, details=True)
    whole = trainings.whole(scale=lambda _: large)
    if not run.steps or not whole.steps or close(run.steps[0].gradients, whole.steps[0].gradients, within):
        return None
    passes = run.details[run.steps[0].begin : run.steps[0].end]
    found = _changed_inside(passes, within) if len(passes) == trainings.windows[0] else None
    if found is None or not found.weights:
        return None
    return Difference(
        "if gradients are large, something shrinks them between the micro-batches of a window", found.why, "GRD301", 1
    )


def _uniform(shared: float, size: int, n: int, update: int) -> Difference:
    what = f"every gradient is {shared:.3f} times as large"
    why, code = "", ""
    if isclose(shared, size, rel_tol=_NEAR):
        why, code = "the loss is not divided by the number of micro-batches", "GRD101"
    elif isclose(shared, 1 / n, rel_tol=_NEAR) and size == n:
        why, code = f"the loss is divided by {n} twice", "GRD102"
    elif size < n and isclose(shared, size / n, rel_tol=_NEAR):
        why, code = f"the partial window has {size} of {n} micro-batches, and its loss is divided by {n}", "GRD107"
    elif 0 < shared < size and round(size / shared) != size and isclose(size / shared, round(size / shared), rel_tol=_NEAR):
        why, code = f"the loss is divided by {round(size / shared)} instead of {size}", "GRD103"
    return Difference(what, why, code, update, shared)


def _by_micro_batch(
    trainings: Trainings, step: Step, whole: Step, passes: tuple[BackwardPass, ...], within: Tolerance
) -> Difference:
    """Explain a difference by what each backward pass adds and finds."""
    added: list[Tensors] = [each.added for each in passes]
    everything = total(added)
    shared = factor(everything, whole.accumulated, within)
    if shared is None:
        return _weighted(trainings, step, added, within)
    scaled = "" if isclose(shared, 1.0, rel_tol=_NEAR) else f" (all of them are {shared:.3f} times as large)"
    size = len(passes)
    for start in range(1, size):
        if close(step.accumulated, total(added[start:]), within):
            held = "only the last micro-batch" if start == size - 1 else f"only the last {size - start} of {size} micro-batches"
            return Difference(f"the gradients hold {held}{scaled}", "they are zeroed inside the window", "GRD203")
    if close(step.accumulated, everything, within):
        what = "the gradients are right after the last backward pass, but differ at the step"
        return Difference(what, "something changes them in between")
    return _changed_inside(passes, within)


def _changed_inside(passes: tuple[BackwardPass, ...], within: Tolerance) -> Difference:
    ratios = [factor(now.before, earlier.after, within) for earlier, now in pairwise(passes)]
    found = [each for each in ratios if each is not None and not isclose(each, 1.0, rel_tol=_NEAR)]
    what = "something changes the gradients between the micro-batches of a window"
    if found and all(0 < each < 1 for each in found):
        shrunk = ", ".join(f"{each:.3g}" for each in found)
        what = f"the gradients are multiplied by {shrunk} between the micro-batches of a window"
        return Difference(what, _CLIP, "GRD301", weights=tuple(found))
    return Difference(what, _CLIP, "GRD301")


def _weighted(trainings: Trainings, step: Step, added: list[Tensors], within: Tolerance) -> Difference:
    """Explain gradients of micro-batches that do not add up to the large batch's: by the weight of each of them."""
    batches = trainings.micro[step.begin : step.end]
    weights = []
    for at, (batch, own) in enumerate(zip(batches, added, strict=True), 1):
        alone = trainings.alone(batch, step.weights).steps
        found = factor(own, alone[0].accumulated, within) if alone else None
        if found is None:
            what = f"the gradients of micro-batch {at} of the window are not a multiple of those that it has alone"
            return Difference(what, "its loss depends on the other micro-batches, on how often something runs, or on chance")
        weights.append(found)
    return _of_weights(tuple(weights), [samples(each) for each in batches])


def _of_weights(weights: tuple[float, ...], sizes: list[int | None]) -> Difference:
    first, count = weights[0], len(weights)
    if not all(isclose(each, first, rel_tol=_NEAR) for each in weights):
        if all(isclose(each, 1.0, rel_tol=_NEAR) or isclose(each * count, 1.0, rel_tol=_NEAR) for each in weights):
            what = f"the weights of the micro-batches are {', '.join(f'{each:.3g}' for each in weights)}"
            return Difference(what, "the loss of some micro-batches is not divided", "GRD101", weights=weights)
        return Difference(f"the weights of the micro-batches are {', '.join(f'{each:.3g}' for each in weights)}", weights=weights)
    every = f"every micro-batch has the weight {first:.3g}"
    if isclose(first, 1.0, rel_tol=_NEAR):
        what, why, code = every, "the loss is not divided by the number of micro-batches", "GRD101"
    elif len(set(sizes)) > 1:
        what = f"{every}, but they hold {', '.join(map(str, sizes))} samples"
        why, code = "the mean of their means is not the mean over all samples", "GRD105"
    elif isclose(first * count, 1.0, rel_tol=_NEAR):
        what, why = (
            every,
            "their losses are means over different counts, such as tokens, so they must be weighted by these counts",
        )
        code = "GRD105"
    else:
        what, why, code = every, "", ""
    return Difference(what, why, code, weights=weights)


def _count(apart: tuple[ParameterDifference, ...]) -> str:
    return f"{len(apart)} gradient{'s differ' if len(apart) > 1 else ' differs'} from the large batch's"
