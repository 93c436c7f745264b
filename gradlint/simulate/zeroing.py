"""Gradients that are cleared too often, too early or never, and steps that use them twice (GRD203 to GRD206)."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

import libcst as cst

from gradlint.model.names.vocabulary import spells_zeroing
from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, What
from gradlint.simulate.views import View
from gradlint.simulate.windows import Window, in_real_loop, micros_of, same_iteration

_MAY_CLEAR = frozenset(("optimizer", "parameters", "gradient", "network", "an object of an unknown class"))
"""Arguments with which unknown code may clear gradients, or store them for later."""


def never(view: View, larger: View | None) -> Iterator[Fault]:
    """Steps find gradients that earlier steps used, and nothing ever clears them."""
    again = _meets_again(view)
    if again is None or not in_real_loop(again):
        return
    if any(map(spells_zeroing, view.trace.unreached)):
        return
    if larger is not None and larger.size == 1 and len(larger.steps) <= larger.trace.n:
        return
    first = view.backwards[0]
    cleared = [event for event in view.of(What.ZERO) if event.held or (in_real_loop(event) and same_loop(event, first))]
    calls = (call for call in view.of(What.CALL) if same_loop(call, first) and not call.only_reads)
    if any(step.through == "object" for step in view.steps):
        return  # a method of unknown code that steps may clear gradients as well
    if cleared or any(not call.handed.isdisjoint(_MAY_CLEAR) for call in calls):
        return
    yield Fault("GRD205", view.steps[0])


def same_loop(event: Event, backward: Event) -> bool:
    """Whether something happens in a loop around a backward pass."""
    return bool(event.loops) and event.loops[0] is backward.loops[0] if backward.loops else True


def before_step(view: View) -> Iterator[Fault]:
    """Gradients are cleared between the last backward pass and the step, which finds none.

    Clearing them parameter by parameter just before the step is allowed: it drops the gradients of layers that are not trained.
    """
    for window in view.closed:
        if not window.backwards or window.step is None or window.step.terms or _put_elsewhere(window):
            continue
        for zero in window.after_last(What.ZERO)[:1]:
            if same_iteration(zero, window.step) and zero.through != "parameter":
                yield Fault("GRD206", zero, window.step)


def _put_elsewhere(window: Window) -> bool:
    """Whether the window computes with its gradients, or replaces them."""
    return _replaced(window) or any("gradient" in call.handed for call in window.of(What.CALL))


def _replaced(window: Window) -> bool:
    """Whether the window replaces its gradients with others."""
    return any(event.value is not None and event.value.doubt for event in window.of(What.RESCALE))


def inside_window(view: View) -> Iterator[Fault]:
    """Gradients are cleared unused between two micro-batches of a window.

    If nothing says how many micro-batches a window has, one window of a run does not show where windows begin and end. Only
    gradients that are cleared on each micro-batch are lost then wherever they do.
    """
    if len(view.steps) > 1 or view.trace.n_names or view.size in view.trace.literals or at_each(view):
        yield from _unused(view, [zero for zero in view.lost if not view.at_boundaries(zero)])


def between_parts(view: View) -> Iterator[Fault]:
    """Gradients of one part of the samples are cleared unused before those of the next part come."""
    if not any(call.handed & _MAY_CLEAR for call in view.of(What.CALL)):
        yield from _unused(view, view.torn)


def _unused(view: View, zeros: list[Event]) -> Iterator[Fault]:
    """Faults for some zeroings, except in windows that replace the gradients: the replacement may combine all of them."""
    replaced = {id(event) for window in view.windows if _replaced(window) for _, event in window.events}
    for zero in zeros:
        if id(zero) not in replaced:
            yield Fault("GRD203", zero, view.steps[0])


def at_each(view: View) -> bool:
    """Whether whole windows clear the gradients after every micro-batch, not just once before the last."""
    lost = {id(zero) for zero in view.lost}
    whole = [window for window in view.closed if len(window.micros) == view.size > 2]
    return bool(whole) and all(sum(id(zero) in lost for zero in window.of(What.ZERO)) >= view.size - 1 for window in whole)


def reused(view: View) -> Iterator[Fault]:
    """A step finds gradients that an earlier step used, and that are cleared only when the window is over."""
    again = _meets_again(view)
    if again is None:
        return
    closing = [event for event in view.of(What.ZERO) if len(micros_of(event)) > 1 and not view.uncertain(event)]
    around = _of_micro_batches(again, view)
    inside = [event for event in closing if event.loops[: len(around)] == around or _closes(event, again)]
    if len(inside) > 1:
        yield Fault("GRD204", again, inside[0])


def _of_micro_batches(step: Event, view: View) -> tuple[cst.CSTNode, ...]:
    """The loops around both a step and its last backward pass. Others run over optimizers, not over data."""
    latest = view.trace.events[step.held[-1]].loops
    return tuple(mine for mine, theirs in zip(step.loops, latest, strict=False) if mine is theirs)


def beside(view: View, larger: View | None) -> Iterator[Fault]:
    """One optimizer steps on every micro-batch, and in another place again on every N-th."""
    nodes = {id(step.node): step for step in view.steps}
    if larger is None or len(nodes) != 2 or view.trace.n == larger.trace.n:
        return
    for step in nodes.values():
        other = next(each for each in nodes.values() if each is not step)
        pairs = [(_pace(seen, step.node), _pace(seen, other.node)) for seen in (view, larger)]
        if pairs == [(1, view.trace.n), (1, larger.trace.n)]:
            yield Fault("GRD204", step, other)


def _pace(view: View, node: cst.CSTNode) -> int:
    """The most backward passes between two steps at a place, within a pass over the data."""
    found = {0}
    passed: list[int] = []
    count = 0
    for _, event in view.events:
        if event.what is What.BACKWARD:
            count += 1
        elif event.what in (What.PASS, What.END):
            found.update(passed[1:-1])
            passed = []
        elif event.what is What.STEP and event.node is node:
            passed.append(count)
            count = 0
    return max(found | set(passed[1:-1]))


def _closes(zero: Event, step: Event) -> bool:
    """Whether an outer loop clears what the inner iterations made together, with each divided by their number."""
    around = len(zero.loops) < len(step.loops) and zero.loops == step.loops[: len(zero.loops)]
    return around and any(isclose(factor.value * len(micros_of(zero)), 1.0) for _, factor in zero.terms)


def _meets_again(view: View) -> Event | None:
    """The first step that finds gradients used by an earlier step, in addition to new ones."""
    before: set[int] = set()
    for step in view.steps:
        held = set(step.held)
        if before & held and held - before:
            return step
        before = held
    return None
