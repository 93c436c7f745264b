"""Windows whose size was never asked for: N changes during the run, and the boundary checks a remainder (GRD210)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.trace import Event, What
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import Window, micros_of
from gradlint.simulate.world import DRIFTS, World


def drifts(runs: Sequence[Played], play: Callable[[World], Played]) -> Iterator[Played]:
    """A run in which N grows and a window has neither the old nor the new size, if that happens with both values of N."""
    found: list[Played] = []
    for run in runs[:2]:
        shown = next((other for other in _grown(run, play) if any(irregular(run, other))), None)
        if shown is None:
            return
        found.append(shown)
    if len(found) == 2:
        yield found[0]


def _grown(run: Played, play: Callable[[World], Played]) -> Iterator[Played]:
    """The runs in which N grows after the first window, in a pass that is long enough."""
    if not _made_by_n(run):
        return
    n = run.world.n
    for place in range(n, 3 * n):
        yield play(replace(run.world, drift=place, length=max(run.world.length, 5 * n), enough=1))


def irregular(usual: Played, other: Played) -> Iterator[Fault]:
    """The steps whose window is smaller or larger than N ever was, reported at the events of the usual run."""
    if other.trace.ended:
        return
    known = _sizes_of_n(usual)
    theirs = {view.key: view for view in views(other.trace)}
    for view in _made_by_n(usual):
        for window in _inner(theirs[view.key]) if view.key in theirs else ():
            size = len(micros_of(window.step)) if window.step is not None else 0
            own = next((step for step in view.steps if window.step is not None and step.node is window.step.node), None)
            if own is not None and not min(known) <= size <= max(known) + DRIFTS:
                yield Fault("GRD210", own, at=_test(own))


def _sizes_of_n(run: Played) -> list[int]:
    """The accumulation steps of a run that a count decides."""
    return [int(run.trace.settings.get(name, 0)) for name in run.asked.drifting]


def _made_by_n(run: Played) -> list[View]:
    """The optimizers whose window size is such a number."""
    known = _sizes_of_n(run)
    found = []
    for view in views(run.trace) if known else ():
        sizes = {len(micros_of(window.step)) for window in _inner(view) if window.step}
        if sizes and not view.blind and sizes <= set(known):
            found.append(view)
    return found


def _inner(view: View) -> Iterator[Window]:
    """The windows between two others of the same pass over the data."""
    for window in view.closed[1:]:
        if not window.of(What.PASS, What.END) and not view.ends(window):
            yield window


def _test(step: Event) -> cst.CSTNode | None:
    """The condition on a changing N that decides whether the optimizer steps."""
    tests = (getattr(node, "test", None) for node, _, varies in reversed(step.path) if varies)
    return next((test for test in tests if isinstance(test, cst.CSTNode)), None)
