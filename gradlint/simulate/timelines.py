"""The events of a run, arranged to check what a fix promises not to change."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import isclose

from gradlint.model.syntax.expressions import text, walk
from gradlint.simulate.promise import Promise
from gradlint.simulate.trace import Event, Trace, What

_KEPT = frozenset(("network", "optimizer", "schedule", "scaler", "average", "parameters", "gradient"))
"""Arguments of an opaque call that make its position between the events matter."""


class Timeline:
    """The events of a trace by the number of backward passes before them. Fixes do not change that number."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.numbers: dict[int, int] = {}
        self.places: dict[tuple[What, int], list[int]] = {}
        self.index = {id(event): place for place, event in enumerate(trace.events)}
        passed = 0
        for place, event in enumerate(trace.events):
            passed += event.what is What.BACKWARD
            self.numbers[id(event)] = passed
            self.places.setdefault((event.what, passed), []).append(place)

    def others(self, promise: Promise) -> list[Event]:
        """The events that a fix must not change, without those that only say how the data are iterated over."""
        left_out = promise.events | {What.PASS, What.END, What.REPORT}
        part = _parts(self.trace, promise)
        kept = [
            event
            for event in self.trace.events
            if event.what not in left_out and (event.what is not What.CALL or (matters(event) and not part(event)))
        ]
        return [
            event for before, event in zip([None, *kept], kept, strict=False) if before is None or not _one_call(before, event)
        ]

    def key(self, event: Event) -> tuple[object, ...]:
        """The key by which events of two traces correspond."""
        if event.what is What.CLIP:  # which optimizers a clip covers depends on those the run has seen so far
            return event.what, text(event.node), self.numbers[id(event)]
        about = (event.text, event.numbers) if event.what is What.CALL else ()
        return event.what, event.target, self.numbers[id(event)], about

    def sides(self, event: Event, what: What) -> set[str]:
        """On which sides of an event others of a kind run, between the same two backward passes."""
        here = self.index[id(event)]
        found = self.places.get((what, self.numbers[id(event)]), ())
        return {"before" if each < here else "behind" for each in found}


def _one_call(event: Event, other: Event) -> bool:
    """Whether two events are one clip, applied to two optimizers."""
    return event.what is other.what is What.CLIP and event.node is other.node and event.turns == other.turns


def clipped_behind(trace: Trace) -> set[str]:
    """Calls that get the gradients between the last backward pass and a clip before the step: they usually add noise."""
    found: set[str] = set()
    calls: set[str] = set()
    clipped = False
    for event in trace.events:
        if event.what is What.CALL and "gradient" in event.handed:
            calls.add(event.text)
        elif event.what is What.CLIP:
            clipped = bool(calls)
        elif event.what is What.STEP:
            found |= calls if clipped else set()
            calls, clipped = set(), False
        elif event.what is What.BACKWARD:
            calls, clipped = set(), False
    return found


def rescaled_behind(trace: Trace) -> bool:
    """Whether gradients are divided or multiplied between a clip and the step. The bound is then for the result."""
    clipped = False
    for event in trace.events:
        if event.what is What.RESCALE and clipped:
            return True
        if event.what in (What.BACKWARD, What.STEP, What.CLIP):
            clipped = event.what is What.CLIP
    return False


def advances(trace: Trace, promise: Promise) -> set[int]:
    """The schedules and averages that advance more than once between two backward passes."""
    found: set[int] = set()
    seen: set[tuple[What, int]] = set()
    for event in trace.events:
        if event.what is What.BACKWARD:
            seen.clear()
        elif event.what in promise.events & {What.SCHEDULE, What.AVERAGE} and event.target >= 0:
            key = event.what, event.target
            found |= {event.target} if key in seen else set()
            seen.add(key)
    return found


def outweighs(before: Event, after: Event) -> bool:
    """Whether the terms of a loss have a larger total weight than before, if their factors are known."""
    one, other = (sum(abs(factor.value) for _, factor in each.terms) for each in (before, after))
    known = not any(factor.doubt for each in (before, after) for _, factor in each.terms)
    return known and other > one and not isclose(one, other)


def same_factors(one: Event, other: Event) -> bool:
    if len(one.terms) != len(other.terms):
        return False
    pairs = zip(one.terms, other.terms, strict=True)
    return all(isclose(a.value, b.value, rel_tol=1e-9) and bool(a.doubt) == bool(b.doubt) for (_, a), (_, b) in pairs)


def _parts(trace: Trace, promise: Promise) -> Callable[[Event], bool]:
    """Whether an opaque call belongs to a call that the fix moves: it runs inside it, or computes its arguments and no others."""

    @cache
    def moved() -> set[int]:
        events = [event for event in trace.events if event.what in promise.events]
        calls = {id(node): node for event in events for node in (event.node, *event.stack)}
        rest = {id(node) for event in trace.events if event.what in _ALONE - promise.events for node in event.stack}
        return {id(part) for number, node in calls.items() if number not in rest for part in walk(node)} - rest

    return lambda event: any(id(node) in moved() for node in (*event.stack, event.node))


_ALONE = frozenset((What.BACKWARD, What.STEP, What.ZERO, What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE))


def matters(event: Event) -> bool:
    return bool(event.handed & _KEPT) or "total" in event.handed


def brief(event: Event) -> str:
    written = text(event.node)
    return written if len(written) < 60 and "\n" not in written else f"{written.split('(')[0]}(...)"[:60]
