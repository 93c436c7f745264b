"""Runs in which a branch that the data decide takes its other arm once, if that can spoil a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.simulate.fitting import Played
from gradlint.simulate.skipping import skipping, steady, whole_step
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import micros_of
from gradlint.simulate.world import World

_MOST = 4
"""How many branches are tried."""

Pick = Callable[[list[int]], int | None]
"""Picks when a branch takes its other arm, from the times that it is reached in a window."""


def detours(runs: Sequence[Played], play: Callable[[World], Played]) -> Iterator[Played]:
    """The runs with a detour that shows a fault with both values of N. Those with the smaller N are returned."""
    if len(runs) < 2 or not any(map(steady, views(runs[0].trace))):
        return
    for node in list(runs[0].asked.forks)[:_MOST]:
        for pick in (_last, _inner):
            found = _shown(runs[0], node, pick, play)
            if found is not None and _shown(runs[1], node, pick, play) is not None:
                yield found


def _last(times: list[int]) -> int | None:
    """At the boundary."""
    return times[-1] if times else None


def _inner(times: list[int]) -> int | None:
    """Between two micro-batches of the window."""
    return times[1] if len(times) > 2 else None


def _shown(run: Played, node: cst.CSTNode, pick: Pick, play: Callable[[World], Played]) -> Played | None:
    """A run with a detour at a branch, if it shows a fault."""
    for view in filter(steady, views(run.trace)):
        time = pick(_in_window(view, run.asked.forks.get(node, [])))
        other = play(replace(run.world, detour=(node, time), enough=1)) if time is not None else None
        if other is not None and any(skipping(run.trace, other.trace)):
            return other
    return None


def _in_window(view: View, met: list[int]) -> list[int]:
    """The times that a branch is reached in the first whole window."""
    for window in view.closed:
        step = whole_step(window)
        if step is not None and len(micros_of(step)) == view.size:
            first, last = window.events[0][0], window.events[-1][0]
            return [time for time, place in enumerate(met) if first <= place <= last]
    return []
