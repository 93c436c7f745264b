"""Windows: the events from one step of an optimizer to the next, and questions about them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradlint.simulate.trace import Event, What

Placed = tuple[int, Event]
"""An event, with its index in the trace."""


@dataclass(frozen=True, eq=False)
class Window:
    """The events up to one step of an optimizer. The step is None if the run ends before it."""

    events: tuple[Placed, ...]
    step: Event | None

    def of(self, *what: What) -> list[Event]:
        """The events of some kinds."""
        kinds = frozenset(what)
        return [event for _, event in self.events if event.what in kinds]

    @cached_property
    def backwards(self) -> list[Event]:
        """The backward passes."""
        return self.of(What.BACKWARD)

    @cached_property
    def begins(self) -> bool:
        """Whether a pass over the data begins in it."""
        return bool(self.of(What.PASS))

    @property
    def opens(self) -> bool:
        """Whether a pass over the data begins before its first backward pass."""
        return next((e.what is What.PASS for _, e in self.events if e.what in (What.PASS, What.BACKWARD)), False)

    @cached_property
    def micros(self) -> frozenset[int]:
        """The micro-batches that were backpropagated for the step, without those left over by a pass and then cleared."""
        return frozenset(pending(event for _, event in self.events))

    def between(self, what: What) -> list[Event]:
        """The events of a kind between two micro-batches of the window, in the same pass."""
        found: list[Event] = []
        waiting: list[Event] = []
        last: Event | None = None
        for _, event in self.events:
            if event.what is What.BACKWARD:
                if last is not None and micros_of(last).isdisjoint(micros_of(event)):
                    found += waiting
                waiting, last = [], event
            elif event.what in (What.PASS, What.END):
                waiting, last = [], None
            elif event.what is what and last is not None:
                waiting.append(event)
        return found

    def after_last(self, what: What) -> list[Event]:
        """The events of a kind between the last backward pass and the step."""
        found: list[Event] = []
        seen = False
        for _, event in self.events:
            if event.what is What.BACKWARD:
                found, seen = [], True
            elif event.what is what and seen:
                found.append(event)
        return found

    def before_first(self, what: What) -> list[Event]:
        """The events of a kind before the first backward pass."""
        found: list[Event] = []
        for _, event in self.events:
            if event.what is What.BACKWARD:
                return found
            if event.what is what:
                found.append(event)
        return found


def micros_of(event: Event) -> frozenset[int]:
    """The micro-batches in a backward pass, or in gradients."""
    return event.micros


def pending(events: Iterable[Event]) -> set[int]:
    """The micro-batches that were backpropagated, without those of an earlier pass that were cleared when it ended."""
    found: set[int] = set()
    over = False
    last: Event | None = None
    for event in events:
        if event.what is What.BACKWARD:
            found |= micros_of(event)
            over, last = False, event
        elif event.what in (What.PASS, What.END):
            over = True
        elif event.what is What.ZERO and (over or (last is not None and begins_anew(event, last))):
            found.clear()
    return found


def begins_anew(zero: Event, backward: Event) -> bool:
    """Whether the loop around an inner loop clears several of the inner loop's micro-batches."""
    outer = len(zero.loops)
    return outer < len(backward.loops) and zero.loops == backward.loops[:outer] and len(micros_of(zero)) > 1


def varying(event: Event) -> frozenset[tuple[int, int]]:
    """The arms around an event that the data decide."""
    return frozenset((id(node), arm) for node, arm, varies in event.path if varies)


def same_iteration(first: Event, second: Event) -> bool:
    """Whether two events happen in the same iteration of all loops that they share."""
    pairs = zip(first.loops, first.turns, second.loops, second.turns, strict=False)
    for loop, turn, other, other_turn in pairs:
        if loop is not other:
            return True
        if turn != other_turn:
            return False
    return True


def in_real_loop(event: Event) -> bool:
    """Whether a loop of the text runs around an event, not just the imagined calls of a root function."""
    return any(type(loop).__name__ != "FunctionDef" for loop in event.loops)


def in_loop_of_data(step: Event, backward: Event) -> bool:
    """Whether a step and one of its backward passes share a loop of the text. Other loops run over optimizers, or losses."""
    shared = (mine for mine, theirs in zip(step.loops, backward.loops, strict=False) if mine is theirs)
    return any(type(loop).__name__ != "FunctionDef" for loop in shared)


def training(events: list[Placed]) -> list[Placed]:
    """The events without the passes over data in which nothing is backpropagated, such as evaluation.

    If a pass only collects batches that are trained on afterwards, its beginning is kept.
    """
    ends = _idle(events)
    telling = [
        index
        for index, (_, event) in enumerate(events)
        if event.what is What.BACKWARD or (event.what is What.PASS and index not in ends)
    ]
    idle = {index for index in ends if not _lists(events, index, ends, telling)} | set(ends.values())
    return [placed for index, placed in enumerate(events) if index not in idle]


def _lists(events: list[Placed], index: int, ends: dict[int, int], telling: Sequence[int]) -> bool:
    """Whether the batches of an idle pass are trained on in the same iteration of the outer loops, before another pass begins.

    `telling` are the places of all backward passes, and of the beginnings of the passes that are not idle.
    """
    place = bisect_right(telling, ends[index])
    following = events[telling[place]][1] if place < len(telling) else None
    if following is None or following.what is not What.BACKWARD:
        return False
    begun = events[index][1]
    drawn_since = max(micros_of(following), default=-1) > begun.micro
    return ends[index] != index and drawn_since and same_iteration(begun, following)


def _idle(events: list[Placed]) -> dict[int, int]:
    """Where each pass over data without backward passes ends, by where it begins. One that is left early ends there, too.

    This goes through the events once, from the last: to look ahead from each pass would take time quadratic in their number.
    """
    never = len(events)
    backward, begins, closes = never, dict[str, int](), dict[tuple[str, tuple[int, ...]], int]()
    ends: dict[int, int] = {}
    for index in reversed(range(never)):
        event = events[index][1]
        if event.what is What.BACKWARD:
            backward = index
        elif event.what is What.END:
            closes[event.text, tuple(map(id, event.loops))] = index
        elif event.what is What.PASS:
            again = begins.get(event.text, never)
            closed = closes.get((event.text, tuple(map(id, event.loops))), never)
            if closed < min(again, backward):
                ends[index] = closed
            elif again < backward or (backward < again and _is_inside(event, events[backward][1])):
                ends[index] = index
            begins[event.text] = index
    return ends


def _is_inside(begun: Event, backward: Event) -> bool:
    """Whether a pass belongs to a loop inside of the innermost loop around a backward pass."""
    return len(begun.loops) > len(backward.loops) and begun.loops[: len(backward.loops)] == backward.loops


def cut(events: Sequence[Placed], number: int) -> list[Window]:
    """The windows of an optimizer, by its number. The last one has no step."""
    windows: list[Window] = []
    current: list[Placed] = []
    for place, event in events:
        current.append((place, event))
        if event.what is What.STEP and event.target == number:
            windows.append(Window(tuple(current), event))
            current = []
    return [*windows, Window(tuple(current), None)]
