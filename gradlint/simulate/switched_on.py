"""What a setting switches on or builds instead, with two values of N: `if args.schedule: scheduler = ...`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.judge import judge
from gradlint.simulate.trace import Trace, What
from gradlint.simulate.world import World

_OF_UPDATE = (What.STEP, What.SCHEDULE)
_CODES = frozenset(("GRD204", "GRD402"))
"""Faults of steps, and of their schedules, that take two values of N to see."""
_MOST = 2
"""The maximum number of runs to repeat with the larger N."""


def paired(runs: Sequence[Played], play: Callable[[World], Played]) -> Iterator[tuple[Played, Played]]:
    """The runs that reach steps, schedules or their lengths that no earlier run reaches, each paired with a run for a larger N."""
    larger = runs[1].world
    known = _steps(runs[0].trace)
    left = _MOST
    for run in runs[2:]:
        new = _steps(run.trace) - known
        if new and left and not run.trace.ended:
            left -= 1
            known |= new
            yield run, play(replace(run.world, n=larger.n, length=larger.length))


def in_pairs(pairs: Sequence[tuple[Played, Played]], usual: Trace) -> Iterator[Fault]:
    """The faults of steps and schedules that the usual run does not reach."""
    known = _steps(usual)
    for run, larger in pairs:
        yield from (fault for fault in judge(run.trace, larger.trace) if fault.code in _CODES and id(fault.place) not in known)


def _steps(trace: Trace) -> frozenset[int]:
    """What steps, and where schedules are given their lengths, by the ids of the nodes."""
    events = trace.of(*_OF_UPDATE)
    return frozenset(id(node) for event in events for node in (event.node, *(length.place for length in event.lengths)))
