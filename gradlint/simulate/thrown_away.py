"""The leftovers of a pass are cleared before the next one, in training that changes N, so that no window is known (GRD202)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.tails import CLEARED, closing, tails
from gradlint.simulate.trace import What
from gradlint.simulate.views import View, views
from gradlint.simulate.world import DRIFTS, PASSES, World

Steps = frozenset[cst.CSTNode]


def throwing_away(runs: Sequence[Played], play: Callable[[World], Played]) -> Steps:
    """The steps whose leftovers are cleared, after some pass while N grows, in every world that reaches them."""
    if len(runs) < 2 or not runs[0].asked.drifting:
        return frozenset()
    found: Steps | None = None
    for place, run in enumerate(runs):
        met, shown = _seen(run, play)
        if found is None or place == 1:
            found = shown if found is None else found & shown
        else:
            found -= met - shown
        if not found:
            return found
    return found or frozenset()


def _seen(run: Played, play: Callable[[World], Played]) -> tuple[Steps, Steps]:
    """The steps of a world that are known while N grows, and those of them whose leftovers are cleared.

    A counter that continues across passes ends some of them with a whole window, so as many lengths are tried as a window has
    micro-batches. There is one more pass than usual because the first one is over when training resumes from a checkpoint.
    """
    n, growing = run.world.n, frozenset(run.asked.drifting)
    whole = {closing(view).node for view in views(run.trace) if view.size == n}
    met: Steps = frozenset()
    shown: Steps = frozenset()
    for length in range(2 * n + DRIFTS, 3 * n + 2 * DRIFTS):
        trace = play(replace(run.world, drift=n, growing=growing, length=length, passes=PASSES + 1)).trace
        known = [view for view in views(trace) if not trace.ended and _is_known(view)]
        met |= {closing(view).node for view in known}
        shown |= {closing(view).node for view in known if any(tails(view, frozenset((CLEARED,))))}
        if met and met == shown:
            break
    return met, shown & whole


def _is_known(view: View) -> bool:
    """Whether nothing else is open about when its optimizer steps, and one pass over the data follows another."""
    if view.doubt or view.lost or not view.accumulates:
        return False
    ends = [place for place, event in view.events if event.what is What.END]
    return bool(ends) and any(event.what is What.BACKWARD and place > ends[0] for place, event in view.events)


def thrown_away(usual: Played, steps: Steps) -> Iterator[Fault]:
    """The faults of these steps, at the events of the usual run."""
    yield from (Fault("GRD202", step) for view in views(usual.trace) if (step := closing(view)).node in steps)
