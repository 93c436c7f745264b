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
"""What something out of sight is handed that may clear gradients, or keep them for later."""


def never(view: View, larger: View | None) -> Iterator[Fault]:
    """Steps meet what earlier ones have used, and nothing clears it, however many there are."""
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
    if cleared or any(not call.handed.isdisjoint(_MAY_CLEAR) for call in calls):
        return
    yield Fault("GRD205", view.steps[0])


def same_loop(event: Event, backward: Event) -> bool:
    """Whether something happens in a loop around a backward pass."""
    return bool(event.loops) and event.loops[0] is backward.loops[0] if backward.loops else True


def before_step(view: View) -> Iterator[Fault]:
    """Gradients are cleared between the last backward pass and the step, which finds none.

    Who clears them one by one just before the step leaves some: those of layers that are not to be trained are dropped so.
    """
    for window in view.closed:
        if not window.backwards or window.step is None or window.step.terms or _put_elsewhere(window):
            continue
        for zero in window.after_last(What.ZERO)[:1]:
            if same_iteration(zero, window.step) and zero.through != "parameter":
                yield Fault("GRD206", zero, window.step)


def _put_elsewhere(window: Window) -> bool:
    """Gradients are computed with, or put in the place of others."""
    return _replaced(window) or any("gradient" in call.handed for call in window.of(What.CALL))


def _replaced(window: Window) -> bool:
    """Whether others are put in the place of the gradients."""
    return any(event.value is not None and event.value.doubt for event in window.of(What.RESCALE))


def inside_window(view: View) -> Iterator[Fault]:
    """Gradients are cleared between two micro-batches of a window, and nothing used them."""
    yield from _unused(view, view.lost)


def between_parts(view: View) -> Iterator[Fault]:
    """Gradients of one part of the samples are cleared before those of the next come, and nothing used them."""
    if not any(call.handed & _MAY_CLEAR for call in view.of(What.CALL)):
        yield from _unused(view, view.torn)


def _unused(view: View, zeros: list[Event]) -> Iterator[Fault]:
    """The zeroings of windows whose step finds what is left: where others are put in their place, these may be made of all."""
    replaced = {id(event) for window in view.windows if _replaced(window) for _, event in window.events}
    for zero in zeros:
        if id(zero) not in replaced:
            yield Fault("GRD203", zero, view.steps[0])


def at_each(view: View) -> bool:
    """Whether whole windows are cleared after each of their micro-batches, and not once, before the last."""
    lost = {id(zero) for zero in view.lost}
    whole = [window for window in view.closed if len(window.micros) == view.size > 2]
    return bool(whole) and all(sum(id(zero) in lost for zero in window.of(What.ZERO)) >= view.size - 1 for window in whole)


def reused(view: View) -> Iterator[Fault]:
    """A step meets gradients which an earlier one has used, and that are cleared when the window is over."""
    again = _meets_again(view)
    if again is None:
        return
    closing = [event for event in view.of(What.ZERO) if len(micros_of(event)) > 1 and not view.uncertain(event)]
    around = _of_micro_batches(again, view)
    inside = [event for event in closing if event.loops[: len(around)] == around or _closes(event, again)]
    if len(inside) > 1:
        yield Fault("GRD204", again, inside[0])


def _of_micro_batches(step: Event, view: View) -> tuple[cst.CSTNode, ...]:
    """The loops around a step that its last backward pass stands in, too: further ones walk optimizers, and no data."""
    latest = view.trace.events[step.held[-1]].loops
    return tuple(mine for mine, theirs in zip(step.loops, latest, strict=False) if mine is theirs)


def beside(view: View, larger: View | None) -> Iterator[Fault]:
    """One optimizer steps on every micro-batch, and once more, at another place, on every N-th."""
    nodes = {id(step.node): step for step in view.steps}
    if larger is None or len(nodes) != 2 or view.trace.n == larger.trace.n:
        return
    for step in nodes.values():
        other = next(each for each in nodes.values() if each is not step)
        pairs = [(_pace(seen, step.node), _pace(seen, other.node)) for seen in (view, larger)]
        if pairs == [(1, view.trace.n), (1, larger.trace.n)]:
            yield Fault("GRD204", step, other)


def _pace(view: View, node: cst.CSTNode) -> int:
    """How many backward passes come between two steps of a place at the most, within a pass over the data."""
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
    """Whether the loop around the one that steps clears what its iterations made together: each is divided by their number."""
    around = len(zero.loops) < len(step.loops) and zero.loops == step.loops[: len(zero.loops)]
    return around and any(isclose(factor.value * len(micros_of(zero)), 1.0) for _, factor in zero.terms)


def _meets_again(view: View) -> Event | None:
    """The first step that finds gradients which an earlier one has used, beside new ones."""
    before: set[int] = set()
    for step in view.steps:
        held = set(step.held)
        if before & held and held - before:
            return step
        before = held
    return None
