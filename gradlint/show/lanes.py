"""Turns the events of runs into the rows of the picture. Alternatives to a call share a row, and so do calls of one helper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from gradlint.show.grid import Mark
from gradlint.show.labels import LABELS, label_of, owner_of
from gradlint.show.loops import Loop
from gradlint.show.passes import Pass
from gradlint.simulate.trace import Event, What
from gradlint.simulate.views import View

Marks = tuple[Mark, ...]
"""What happens before the pass, on each of its micro-batches, and after it."""
_STRENGTH = (Mark.NOTHING, Mark.UNKNOWN, Mark.MAYBE, Mark.HAPPENS)
UNSYNCED = "no_sync"


@dataclass(frozen=True, eq=False)
class Lane:
    """A row in the making: the events of one kind at some places. `owner` is its optimizer, loss, schedule or average.

    `codes` are the rules that accuse it. An `alternative` runs instead of another row if a setting is different.
    """

    kind: str
    label: str
    owner: str
    nodes: tuple[cst.CSTNode, ...]
    marks: Marks
    codes: tuple[str, ...] = ()
    alternative: bool = False


def lanes_of(loop: Loop, accused: frozenset[int]) -> list[Lane]:
    """Return the rows of a loop in the order in which they run. Loss reports and other calls are included only if accused."""
    first, *others = (list(_rows(each, loop, accused)) for each in loop.passes)
    found = _joined(first)
    for lanes in others:
        met = {id(node) for lane in lanes for node in lane.nodes}
        for lane in lanes:
            if not any(id(node) in {id(each) for row in found for each in row.nodes} for node in lane.nodes):
                _add(found, _fitted(lane, first[0].marks if first else lane.marks), met)
    return [_named(lane, found) for lane in found]


def _rows(part: Pass, loop: Loop, accused: frozenset[int]) -> Iterator[Lane]:
    """Yield the rows of one run, one for each place in the text."""
    groups: dict[tuple[str, int], list[tuple[int, Event]]] = {}
    order: list[tuple[str, int]] = []
    position = 0
    last = None
    for place, event in sorted(part.events, key=lambda pair: pair[0]):
        for kind in _kinds(event, accused):
            key = (kind, id(event.node if kind != UNSYNCED else event.at))
            if place != last:
                position = len(order) if place == part.length else 0
            last = place
            if key not in groups:
                order.insert(position, key)
            position = max(position, order.index(key) + 1)
            groups.setdefault(key, []).append((place, event))
    for key in order:
        yield _lane(key[0], groups[key], part.length, loop)


def _kinds(event: Event, accused: frozenset[int]) -> Iterator[str]:
    """Yield the kinds of row in which an event has a mark."""
    if event.what is What.BACKWARD and event.at is not None and not event.reduced:
        yield UNSYNCED
    if event.what in LABELS and (event.what not in (What.REPORT, What.CALL) or id(event.node) in accused):
        yield LABELS[event.what]


def _lane(kind: str, group: Sequence[tuple[int, Event]], length: int, loop: Loop) -> Lane:
    marks = [Mark.NOTHING] * (length + 2)
    for place, event in group:
        mark = Mark.HAPPENS if kind == UNSYNCED else _mark(event, loop.views)
        marks[place + 1] = max(marks[place + 1], mark, key=_STRENGTH.index)
    event = group[0][1]
    node = event.at if kind == UNSYNCED and event.at is not None else event.node
    label = kind if kind == UNSYNCED else label_of([each for _, each in group], loop)
    return Lane(kind, label, owner_of(event, loop.trace), (node,), tuple(marks))


def _mark(event: Event, seen: Sequence[View]) -> Mark:
    """Return the mark for an event. It may depend on the data whether the event happens."""
    for view in seen:
        if event.concerns(view.optimizer.number) and view.uncertain(event):
            return Mark.UNKNOWN if view.doubt else Mark.MAYBE
    return Mark.HAPPENS


def _joined(lanes: Sequence[Lane]) -> list[Lane]:
    """Join equal rows that never have a mark in the same column."""
    found: list[Lane] = []
    for lane in lanes:
        twin = next((i for i, each in enumerate(found) if _same(each, lane) and _apart(each.marks, lane.marks)), None)
        if twin is None:
            found.append(lane)
        else:
            marks = tuple(max(pair, key=_STRENGTH.index) for pair in zip(found[twin].marks, lane.marks, strict=True))
            outside = all(mark is Mark.NOTHING for mark in found[twin].marks[1:-1])
            joined = replace(found[twin], nodes=(*found[twin].nodes, *lane.nodes), marks=marks)
            found[twin] = joined
            if outside:  # the position of a row is where it runs on a micro-batch
                found.append(found.pop(twin))
    return found


def _same(one: Lane, other: Lane) -> bool:
    return (one.kind, one.label, one.owner) == (other.kind, other.label, other.owner)


def _apart(one: Marks, other: Marks) -> bool:
    return all(Mark.NOTHING in pair for pair in zip(one, other, strict=True))


def _fitted(lane: Lane, like: Marks) -> Lane:
    """Return the row with as many micro-batches as the others have."""
    inner = lane.marks[1:-1][: len(like) - 2]
    return replace(lane, marks=(lane.marks[0], *inner, *[Mark.NOTHING] * (len(like) - 2 - len(inner)), lane.marks[-1]))


def _add(found: list[Lane], lane: Lane, met: set[int]) -> None:
    """Add a row that only exists with another setting: in place of a row that this setting removes, or in addition."""
    gone = [each for each in found if each.kind == lane.kind and not any(id(node) in met for node in each.nodes)]
    twin = next((each for each in gone if each.marks == lane.marks and _plain(each.label) == _plain(lane.label)), None)
    if twin is not None:
        found[found.index(twin)] = replace(twin, label=_plain(twin.label), nodes=(*twin.nodes, *lane.nodes))
        return
    peers = [index for index, each in enumerate(found) if each.kind == lane.kind]
    place = peers[-1] + 1 if peers else len(found)
    maybe = tuple(Mark.MAYBE if mark is Mark.HAPPENS else mark for mark in lane.marks)
    found.insert(place, replace(lane, alternative=True) if gone else replace(lane, marks=maybe))


def _plain(label: str) -> str:
    """Return a label that is the same with and without a scaler."""
    return label.replace("backward scaled", "backward").replace("scaler step", "step")


def _named(lane: Lane, lanes: Sequence[Lane]) -> Lane:
    """Return the row with a label that distinguishes it from others of its kind."""
    peers = [each for each in lanes if each.kind == lane.kind]
    label = lane.label
    if lane.kind == LABELS[What.BACKWARD]:
        label = label.replace(" loss", f" {lane.owner or 'loss'}", 1) if len(peers) > 1 else label
    elif len({each.owner for each in peers}) > 1 and lane.owner:
        label = f"{label} {lane.owner}"
    return replace(lane, label=f"or {label}" if lane.alternative else label)
