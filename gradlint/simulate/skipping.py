"""Windows that become too large or too small when the data skip one micro-batch (GRD209)."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import Window, in_real_loop, micros_of, same_iteration

CLEARED = "cleared"
"""The reason if an update is too small: what was accumulated for it was thrown away."""


def skipping(usual: Trace, other: Trace) -> Iterator[Fault]:
    """The faults of a run in which the data take another arm once, compared with the usual run and placed at its events."""
    place = next((place for place, event in enumerate(other.events) if event.what is What.DETOUR), None)
    if place is None or other.ended or any(event.again for event in other.of(What.UNSCALE)):
        return  # the run ends there, or PyTorch would raise
    theirs = {view.key: view for view in views(other)}
    for view in views(usual):
        seen = theirs.get(view.key)
        if seen is None or not steady(view):
            continue
        window = next((each for each in seen.closed if each.events[-1][0] > place and each.step and each.step.terms), None)
        if window is None or window.step is None or _apart(window, place) or _called_anew(other.events[place], window.step):
            continue
        own = next((step for step in view.steps if step.node is window.step.node), None)
        if own is not None and not isclose(_weight(window.step), _whole(view)):
            yield from _of_window(view, window, own, other, place)


def steady(view: View) -> bool:
    """Whether the usual windows of an optimizer are whole, and nothing is known to be wrong with them."""
    sound = not (view.doubt or view.lost) and view.accumulates
    return sound and max(view.held) == view.size and any(step is not None for step in map(whole_step, view.closed))


def whole_step(window: Window) -> Event | None:
    """The step of a window that uses everything backpropagated in it."""
    step = window.step
    return step if step is not None and micros_of(step) == window.micros else None


def _of_window(view: View, window: Window, own: Event, other: Trace, place: int) -> Iterator[Fault]:
    """What is wrong with the window in which the data took the other arm."""
    assert window.step is not None
    turn = other.events[place]
    held = micros_of(window.step)
    if len(held) > view.size and _weight(window.step) > _whole(view):
        yield Fault("GRD209", own, at=turn.at)
        return
    used = {each for event in other.events[:place] if event.what is What.STEP for each in event.held}
    for index, zero in window.events:
        if zero.what is not What.ZERO or index < place or not same_iteration(turn, zero):
            continue
        parts = [other.events[each] for each in zero.held if each not in used]
        cleared = frozenset().union(*map(micros_of, parts))
        spoilt = any(same_iteration(each, turn) for each in parts)  # nothing else would remove it from the gradients
        if cleared and not spoilt and len(held) < view.size and len(held | cleared) <= view.size:
            yield Fault("GRD209", own, why=CLEARED, at=zero.node)
            return


def _apart(window: Window, place: int) -> bool:
    """Whether another pass over the data begins, or one ends, between the detour and the step."""
    return any(event.what in (What.PASS, What.END) for index, event in window.events if index > place)


def _called_anew(turn: Event, step: Event) -> bool:
    """Whether the step belongs to another call of the root than the detour, which left the loop there for good."""
    return in_real_loop(turn) and isinstance(turn.loops[0], cst.FunctionDef) and turn.turns[:1] != step.turns[:1]


def _weight(step: Event) -> float:
    """The sum of the factors of all terms of an update."""
    return sum(factor.value for _, factor in step.terms)


def _whole(view: View) -> float:
    """The sum of the factors in a whole window."""
    steps = (step for step in view.steps if len(micros_of(step)) == view.size)
    return next(map(_weight, steps), 0.0)
