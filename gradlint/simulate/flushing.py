"""Runs passes of other lengths, where a step after the loop may check for the wrong remainder (GRD202)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.meant import meant
from gradlint.simulate.tails import closing, tails
from gradlint.simulate.trace import Trace
from gradlint.simulate.views import View, views
from gradlint.simulate.world import World


def flushes(runs: Sequence[Played], play: Callable[[World], Played]) -> Iterator[Played]:
    """Runs with a tail of one micro-batch, and of N - 1, if the optimizer also steps after the loop."""
    last = runs[1] if len(runs) > 1 else runs[0]
    if last.trace.ended or not any(map(steps_behind, views(last.trace))):
        return
    n = last.world.n
    for left in (1, n - 1):
        if last.world.length % n != left:
            yield play(replace(last.world, length=last.world.length - last.world.length % n + left))


def steps_behind(view: View) -> bool:
    """Whether the optimizer steps both inside and outside of the loop around the backward passes."""
    loops = {id(event.loops[-1]) for event in view.backwards if event.loops}
    return any(loops.isdisjoint(map(id, step.loops)) for step in view.steps) and any(
        not loops.isdisjoint(map(id, step.loops)) for step in view.steps
    )


def missed(usual: Trace, other: Trace) -> Iterator[Fault]:
    """The tails that are dropped in a run of another length, reported at the steps of the usual run."""
    if other.ended:
        return
    own = {view.key: view for view in views(usual)}
    for view in meant(other).meant:
        known = own.get(view.key)
        if known is not None and not view.doubt and view.accumulates and view.size == other.n and any(tails(view)):
            yield Fault("GRD202", closing(known))
