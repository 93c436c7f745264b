"""Runs in which the data skip the update of a scaler that has unscaled, so that the next `unscale_` raises (GRD310)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.model.syntax.expressions import dotted, walk
from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.windows import micros_of
from gradlint.simulate.world import World

_MOST = 4
"""The maximum number of branches to try."""
_READS = frozenset(("scaler.get_scale", "scaler.state_dict"))
"""Calls that get a scaler and do not change it."""
_PACKAGES = frozenset(("torch", "math", "np", "numpy"))
STALE = "the gradients stay"
"""The reason if an update alone would not help: unscaled gradients are still there at the next backward pass."""


def stalls(run: Played, play: Callable[[World], Played]) -> Iterator[Played]:
    """The runs in which a branch that the data decide takes its other arm once, past the update of a scaler that has unscaled."""
    waiting = ((node, _first_awaited(run.trace, met)) for node, met in list(run.asked.forks.items()))
    told = [(node, time) for node, time in waiting if time is not None and not _asked_before(node, list(run.asked.forks))]
    for node, time in told[:_MOST]:
        other = play(replace(run.world, detour=(node, time)))
        if any(left_out(run.trace, other.trace)):
            yield other


def left_out(usual: Trace, other: Trace) -> Iterator[Fault]:
    """The faults of a run in which the data take another arm once, compared with the usual run and placed at its events."""
    place = next((place for place, event in enumerate(other.events) if event.what is What.DETOUR), None)
    if place is None or other.ended or any(event.again for event in usual.of(What.UNSCALE)):
        return
    refused = next((event for event in other.events[place:] if event.again), None)
    update = next((event for event in usual.events[place:] if event.what is What.SCALER_UPDATE), None)
    if refused is None or update is None or _reset(other.events[place:], refused):
        return
    turn = other.events[place]
    unscaled = next((event for event in reversed(usual.events[:place]) if _same(event, refused)), None)
    if unscaled is not None and _data_arms(unscaled) <= _data_arms(turn):
        why = "" if micros_of(unscaled).isdisjoint(micros_of(refused)) else STALE
        yield Fault("GRD310", update, unscaled, why, about=turn.node)


def _first_awaited(trace: Trace, met: Sequence[int]) -> int | None:
    """The first time that a branch runs between an unscaling and the update of the scaler."""
    return next((time for time, place in enumerate(met) if _awaited(trace.events, place)), None)


def _awaited(events: Sequence[Event], place: int) -> bool:
    kinds = (What.UNSCALE, What.SCALER_UPDATE)
    last = next((event.what for event in reversed(events[:place]) if event.what in kinds), None)
    following = next((event.what for event in events[place:] if event.what in kinds), None)
    return (last, following) == kinds


def _same(event: Event, refused: Event) -> bool:
    return event.what is What.UNSCALE and event.target == refused.target


def _reset(events: Sequence[Event], until: Event) -> bool:
    """Whether unknown code gets the scaler before an event: it may do what an update does."""
    before = events[: next(place for place, event in enumerate(events) if event is until)]
    return any(event.what is What.CALL and "scaler" in event.handed and event.text not in _READS for event in before)


def _data_arms(event: Event) -> set[tuple[int, int]]:
    """The arms around an event that the data decide."""
    return {(id(node), arm) for node, arm, varies in event.path if varies}


def _asked_before(node: cst.CSTNode, met: Sequence[cst.CSTNode]) -> bool:
    """Whether an earlier branch depends on the same names: their answers may be related."""
    about = _named(node)
    return any(not about.isdisjoint(_named(other)) for other in met[: met.index(node)])


def _named(node: cst.CSTNode) -> set[str]:
    """The names in a condition, except those of the functions that it calls."""
    nodes = walk(node.test) if isinstance(node, cst.If) else ()
    parts = {id(each.func) for each in nodes if isinstance(each, cst.Call)}
    for each in nodes:
        if isinstance(each, cst.Attribute):
            parts |= {id(each.attr)} if id(each) in parts else {id(each.attr), id(each.value)}
    names = (dotted(each) for each in nodes if isinstance(each, (cst.Name, cst.Attribute)) and id(each) not in parts)
    return {name for name in names if name is not None} - _PACKAGES
