"""Micro-batches that an engine counts twice, or never (GRD207, GRD208)."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, isclose

from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import COUNTS, Event, What
from gradlint.simulate.views import View
from gradlint.simulate.windows import in_real_loop, micros_of, same_iteration


def twice(view: View) -> Iterator[Fault]:
    """A micro-batch is counted again inside the context that counted it first, and backpropagated inside both."""
    counts = {place: event for place, event in view.events if event.what is What.COUNT}
    for backward in view.backwards:
        around = {place: counts[place] for place in backward.inside if place in counts and _beside(counts[place], backward)}
        for inner in around.values():
            outer = [around[place] for place in inner.inside if place in around]
            if outer and _ends_early(inner, len(outer) + 1):
                yield Fault("GRD207", inner, outer[-1], why=str(len(outer) + 1))


def _beside(count: Event, backward: Event) -> bool:
    """Whether a count belongs to the innermost iteration that a backward pass is in."""
    return backward.loops == count.loops[: len(backward.loops)] and same_iteration(count, backward)


def _ends_early(count: Event, times: int) -> bool:
    """Whether counting several at a time reaches a multiple of N before N micro-batches, for some N if it is a setting."""
    steps = count.value
    return steps is not None and not steps.doubt and (bool(steps.of) or gcd(round(steps.value), times) > 1)


def never(view: View, larger: View | None) -> Iterator[Fault]:
    """An engine divides each loss by N but steps after each one, because no micro-batch is ever counted."""
    for each in (view, larger):
        if each is not None and not (_steps_each(each) and all(map(_is_divided, each.backwards))):
            return
    if view.trace.of(What.COUNT) or COUNTS in view.trace.unreached:
        return
    step = next((each for each in view.steps if each.held), None)
    if step is not None and in_real_loop(step):
        yield Fault("GRD208", view.trace.events[step.held[0]], step)


def _steps_each(view: View) -> bool:
    """Whether every step only uses the gradients of a single backward pass, or of a single micro-batch."""
    found = [step for step in view.steps if step.held]
    return bool(found) and all(len(step.held) == 1 or len(micros_of(step)) == 1 for step in found)


def _is_divided(backward: Event) -> bool:
    """Whether an engine divides a loss by N, and nothing makes up for it."""
    by = backward.value
    if by is None or by.doubt or not backward.terms or (isclose(by.value, 1.0) and not by.of):
        return False
    return not any(
        factor.doubt or isclose(factor.value, 1.0) or any(isclose(weight * by.value, 1.0) for weight in factor.weights)
        for _, factor in backward.terms
    )
