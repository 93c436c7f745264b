"""One pass over the data in a run: its micro-batches in order, and the micro-batch of each event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.windows import micros_of, same_iteration

BEFORE = -1
"""The place of what runs before the pass. What runs after it has the number of micro-batches as its place."""


@dataclass(frozen=True, eq=False)
class Pass:
    """How many micro-batches it has, its events with the places of their micro-batches from 0, and whether its data end."""

    length: int
    events: tuple[tuple[int, Event], ...]
    ends: bool


def first_pass(trace: Trace, loop: cst.CSTNode | None, optimizers: frozenset[int]) -> Pass:
    """Return the first pass that backpropagates in a loop, with the events that concern these optimizers."""
    first = next(event for event in trace.events if event.what is What.BACKWARD and innermost(event) is loop)
    level = _level(trace, first)
    inside, around = _until_data_end(trace, first, *_parts(trace, first, level))
    own = [event for event in inside if not optimizers or any(map(event.concerns, optimizers))]
    columns = _columns(own)
    length = max(columns.values(), default=-1) + 1
    start = inside[0] if inside else first
    early = {id(event) for event in trace.events[: trace.events.index(start)]}
    outer = [(BEFORE if id(event) in early else length, event) for event in around]
    kept = [(place, event) for place, event in outer if not optimizers or any(map(event.concerns, optimizers))]
    backwards = [trace.events.index(event) for event in inside if event.what is What.BACKWARD]
    ends = any(event.what is What.END and trace.events.index(event) > backwards[-1] for event in (*inside, *around))
    return Pass(length, (*_placed(own, columns), *kept), ends)


def innermost(event: Event) -> cst.CSTNode | None:
    """Return the innermost loop, or the function, around an event."""
    return event.loops[-1] if event.loops else None


def _level(trace: Trace, first: Event) -> int:
    """Return how many loops surround the pass: those around what provides the data, but few enough to include two updates."""
    opened: list[Event] = []
    for event in trace.events[: trace.events.index(first)]:
        if event.what is What.PASS:
            opened.append(event)
        elif event.what is What.END:
            opened = [each for each in opened if each.text != event.text]
    levels = [len(each.loops) for each in opened if each.loops == first.loops[: len(each.loops)] and same_iteration(each, first)]
    level = min((each for each in levels if each < len(first.loops)), default=max(len(first.loops) - 1, 0))
    while level and trace.of(What.STEP) and sum(event.what is What.STEP for event in _parts(trace, first, level)[0]) < 2:
        level -= 1
    return level


def _parts(trace: Trace, first: Event, level: int) -> tuple[list[Event], list[Event]]:
    """Return what happens in the pass of a backward pass, and around it in the same iterations of the outer loops."""
    inside, around = [], []
    for event in trace.events:
        shared = min(level, len(event.loops))
        if event.loops[:shared] != first.loops[:shared] or event.turns[:shared] != first.turns[:shared]:
            continue
        if len(event.loops) <= level:
            around.append(event)
        elif event.loops[: level + 1] == first.loops[: level + 1]:
            inside.append(event)
    return (inside, around) if first.loops else (around, [])


def _until_data_end(trace: Trace, first: Event, inside: list[Event], around: list[Event]) -> tuple[list[Event], list[Event]]:
    """Leave out further passes over the same data, if no loop of the text separates them: a framework calls a method for each batch."""
    places = {id(event): place for place, event in enumerate(trace.events)}
    both = (*inside, *around)
    opened = {event.text for event in both if event.what is What.PASS and places[id(event)] < places[id(first)]}
    ends = (places[id(each)] for each in both if each.what is What.END and each.text in opened)
    end = min((place for place in ends if place > places[id(first)]), default=len(trace.events))
    if not any(event.what is What.BACKWARD and places[id(event)] > end for event in inside):
        return inside, around
    return [each for each in inside if places[id(each)] <= end], [each for each in around if places[id(each)] <= end]


def _columns(events: Sequence[Event]) -> dict[int, int]:
    """Map the numbers of micro-batches in the run to their places."""
    micros = sorted({micro for event in events if event.what is What.BACKWARD for micro in micros_of(event) or {event.micro}})
    return {micro: place for place, micro in enumerate(micros)}


def _placed(events: Sequence[Event], columns: dict[int, int]) -> list[tuple[int, Event]]:
    """Return the events of a pass with their places.

    What an iteration does before its backward pass belongs to its micro-batch.
    """
    passes = [(index, event) for index, event in enumerate(events) if event.what is What.BACKWARD]
    found = []
    for index, event in enumerate(events):
        last = next((each for place, each in reversed(passes) if place <= index), None)
        following = next((each for place, each in passes if place >= index), None)
        place = _place_of(last, columns) if last is not None else 0
        if event.what is not What.BACKWARD and columns.get(event.micro, place) > place:
            place = columns[event.micro]
        if following is not None and (last is None or not same_iteration(event, last)) and same_iteration(event, following):
            place = max(place, min(columns.get(micro, place) for micro in micros_of(following) or {following.micro}))
        found.append((place, event))
    return found


def _place_of(backward: Event, columns: dict[int, int]) -> int:
    return max(columns.get(micro, 0) for micro in micros_of(backward) or {backward.micro})
