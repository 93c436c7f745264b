"""Runs that together take every arm of a branch that the data decide: a fault in all of them does not depend on the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.judge import judge
from gradlint.simulate.trace import Event, What
from gradlint.simulate.views import views
from gradlint.simulate.world import World

_OF_UPDATE = (What.ZERO, What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE)
_CODES = frozenset("GRD203 GRD301 GRD304 GRD305 GRD401 GRD404".split())
"""Faults of actions that run too often."""
_MOST = 3
"""How deeply such branches may be nested."""
_TRIED = 3
"""How many branches have their arms tried."""

Play = Callable[[World], Played]


def of_every_arm(runs: Sequence[Played], play: Play) -> Iterator[tuple[Played, ...]]:
    """For each branch that decides about a part of an update, the runs that take its arms, if they share a fault."""
    if len(runs) < 2:
        return
    for node in _open(runs[0], None)[:_TRIED]:
        world = replace(runs[0].world, settled=frozenset((runs[0].asked.varied[node],)))
        group = tuple(_each(world, node, runs[0].asked.varied[node], play))
        if any(in_all(group, runs[1])):
            yield group


def in_all(group: Sequence[Played], larger: Played) -> Iterator[Fault]:
    """The faults that all runs of a group share, each at its place in its run."""
    found = [
        [fault for fault in judge(run.trace, larger.trace) if fault.code in _CODES and _hangs(fault.event, run)] for run in group
    ]
    codes = frozenset.intersection(*(frozenset(fault.code for fault in faults) for faults in found)) if found else frozenset()
    yield from (fault for faults in found for fault in faults if fault.code in codes)


def _hangs(event: Event, run: Played) -> bool:
    """Whether an event is in an arm of one of the branches that a group of runs is about."""
    return any(run.asked.varied.get(node) in run.world.settled for node, _, _ in event.path)


def _each(world: World, node: cst.CSTNode, number: int, play: Play) -> Iterator[Played]:
    """The runs that take each arm of a branch, and of the branches inside it that decide about a part of an update."""
    for flipped in (False, True):
        here = replace(world, elsewhere=world.elsewhere ^ {number}) if flipped else world
        run = play(here)
        inner = _open(run, node)[:1] if len(world.settled) < _MOST else []
        for other in inner:
            yield from _each(
                replace(here, settled=world.settled | {run.asked.varied[other]}), other, run.asked.varied[other], play
            )
        if not inner:
            yield run


def _open(run: Played, within: cst.CSTNode | None) -> list[cst.CSTNode]:
    """The branches that the data decide, and that affect part of an update. If `within` is given, only those in its arms."""
    found: dict[int, cst.CSTNode] = {}
    for view in views(run.trace):
        for event in filter(view.uncertain, view.of(*_OF_UPDATE)):
            path = [node for node, _, varies in event.path if varies and node in run.asked.varied]
            if path and (within is None or any(node is within for node, _, _ in event.path)):
                found.setdefault(id(path[0]), path[0])
    return list(found.values())
