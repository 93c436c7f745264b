"""A trace as one optimizer sees it, loop by loop."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import libcst as cst

from gradlint.simulate.sections import built_at, sections
from gradlint.simulate.trace import Event, Stepper, Trace, What
from gradlint.simulate.windows import Placed, Window, begins_anew, cut, micros_of, training, varying


class View:
    """A trace as one optimizer sees it, or its part in one of several consecutive loops."""

    def __init__(self, trace: Trace, optimizer: Stepper, events: Sequence[Placed], home: int = 0) -> None:
        self.trace = trace
        self.optimizer = optimizer
        self.key = (optimizer.number, home)
        number = optimizer.number
        self.events = training(_without_replay(events))
        self.windows = cut(self.events, number)
        self.closed = [window for window in self.windows if window.step is not None]
        self.steps = [event for _, event in self.events if event.what is What.STEP and event.target == number]

    def of(self, *what: What) -> list[Event]:
        """The events of some kinds."""
        kinds = frozenset(what)
        return [event for _, event in self.events if event.what in kinds]

    @cached_property
    def backwards(self) -> list[Event]:
        """The backward passes."""
        return self.of(What.BACKWARD)

    def without(self, node: cst.CSTNode) -> View:
        """The same view, as if one place in the code did not step."""
        kept = [each for each in self.events if not (each[1].what is What.STEP and each[1].node is node)]
        return View(self.trace, self.optimizer, kept, self.key[1])

    def repeats(self, larger: Trace) -> bool:
        """Whether it repeats an optimizer built earlier at the same place, and the other run stopped before building this one."""
        former = any(each.number < self.optimizer.number for each in built_at(self.optimizer, self.trace))
        return former and larger.cut and self.optimizer.number >= len(larger.optimizers)

    # Windows

    @cached_property
    def sizes(self) -> list[int]:
        """How many micro-batches were backpropagated for each step."""
        return [len(window.micros) for window in self.closed]

    @cached_property
    def size(self) -> int:
        """The size of a whole window: the most common among those that neither begin nor end a pass over the data."""
        ending = self._broken_off
        inner = [len(each.micros) for each in self.closed if not (each.begins or self.ends(each) or each in ending)]
        sizes = [size for size in inner or self.sizes if size]
        counts = Counter(sizes)
        told = {self.trace.n if self.trace.n_names else 0, *self.trace.literals}
        return max(counts, key=lambda size: (counts[size], size in told, size), default=0)

    @property
    def _broken_off(self) -> list[Window]:
        """The windows after which a pass over the data is left early. If there are any, the run's last window is one of them."""
        found = [
            window
            for window, following in zip(self.windows, self.windows[1:], strict=False)
            if following.opens and not self.ends(window)
        ]
        return [*found, *self.closed[-1:]] if found else []

    @property
    def actual(self) -> int:
        """The size of whole windows when nobody sets N; 0 if unknown."""
        return self.trace.actual_n if self.size == self.trace.n else 0

    @property
    def first_size(self) -> int:
        """The number of micro-batches of the first step that has any."""
        return next((size for size in self.sizes if size), 0)

    @property
    def literal(self) -> bool:
        """Given that windows keep their size with another N: whether the text itself sets that size.

        They are not just the passes over the data: some pass has several of them.
        """
        passes = len({id(event) for event in self.of(What.PASS)})
        return self.size in self.trace.literals or self.sizes.count(self.size) > max(passes, 1)

    def ends(self, window: Window) -> bool:
        """Whether a pass over the data ends before the next micro-batch."""
        place = self.windows.index(window)
        following = self.windows[place + 1].events if place + 1 < len(self.windows) else ()
        for _, event in following:
            if event.what is What.BACKWARD:
                break
            if event.what is What.END:
                return True
        return any(event.what is What.END for _, event in window.events)

    @cached_property
    def held(self) -> list[int]:
        """How many micro-batches each step finds in the gradients."""
        return [len({source.micro for source, _ in step.terms}) for step in self.steps]

    @cached_property
    def accumulates(self) -> bool:
        """Whether some update uses, or was meant to use, several micro-batches."""
        return self.size > 1 and (any(count > 1 for count in self.held) or bool(self.lost))

    @cached_property
    def written_out(self) -> bool:
        """Whether the gradients of each step come from its own iteration, from backward passes written out one by one."""
        return all(self._is_of_its_iteration(step) for step in self.steps)

    def _is_of_its_iteration(self, step: Event) -> bool:
        found = [self.trace.events[place] for place in step.held]
        apart = len({id(event.node) for event in found}) == len(found)
        return apart and all((event.loops, event.turns) == (step.loops, step.turns) for event in found)

    @cached_property
    def lost(self) -> list[Event]:
        """The zeroings that clear unused gradients between two micro-batches of a window, if this starts in the first windows."""
        found = list(_lost(self, _of_other_batches))
        first = [event for window in self.windows[:2] for _, event in window.events]
        return found if any(event is zero for zero in found[:1] for event in first) else []

    def at_boundaries(self, event: Event) -> bool:
        """Whether an event happens once every N micro-batches, at a place where the step is left out at first."""
        n, places, micros = self.trace.n, list[int](), set[int]()
        if not self.trace.n_names or self.first_size <= n or self.first_size % n:
            return False
        for _, each in self.events:
            if each.what is What.BACKWARD:
                micros |= micros_of(each)
            elif each.node is event.node and each.what is event.what:
                places.append(len(micros))
        return all(place and not place % n for place in places)

    @cached_property
    def torn(self) -> list[Event]:
        """The zeroings that clear unused gradients between two parts of the same samples."""
        return list(_lost(self, _of_other_stretches))

    # What the data decide

    @cached_property
    def _common(self) -> frozenset[tuple[int, int]]:
        """The arms around all backward passes that the data decide."""
        arms = [varying(event) for event in self.backwards]
        return frozenset.intersection(*arms) if arms else frozenset()

    def uncertain(self, event: Event | None) -> bool:
        """Whether the data decide if an event happens, given that a backward pass does."""
        return event is not None and not varying(event) <= self._common

    @cached_property
    def blind(self) -> bool:
        """Whether a step within a pass over the data finds no gradients: they come from a backward pass that is not visible."""
        empty = [window for window in self.closed if not window.backwards and not _flushes(window)]
        return any(window.step is not None and not window.step.terms for window in empty)

    @cached_property
    def doubt(self) -> str:
        """Why nothing is known about the windows; "" if something is."""
        if self.blind:
            return "gradlint sees no backward pass before a step"
        if any(map(self.uncertain, self.steps)):
            return "the data decide whether the optimizer steps"
        return ""


def _without_replay(events: Sequence[Placed]) -> list[Placed]:
    """The events without the empty steps of other places before training: they advance a schedule, or only silence a warning."""
    empty = list(_empty_at_first(events))
    if not empty:
        return list(events)
    used = {id(event.node) for _, event in events if event.what is What.STEP and event.terms}
    dropped = {place for place, event in empty if id(event.node) not in used}
    return [placed for placed in events if placed[0] not in dropped]


def _empty_at_first(events: Sequence[Placed]) -> Iterator[Placed]:
    """The steps without gradients before the first backward pass."""
    for placed in events:
        if placed[1].what is What.BACKWARD:
            return
        if placed[1].what is What.STEP and not placed[1].terms:
            yield placed


def _flushes(window: Window) -> bool:
    """Whether a step comes at the end of a pass over the data, so that it may find nothing left to do."""
    return any(event.what is What.END for _, event in window.events)


def _of_other_batches(one: Event, other: Event) -> bool:
    """Whether two backward passes have no micro-batch in common."""
    return micros_of(one).isdisjoint(micros_of(other))


def _of_other_stretches(one: Event, other: Event) -> bool:
    """Whether a backward pass runs again for further parts of the same samples."""
    further = bool(one.stretches) and not other.stretches <= one.stretches
    return further and one.node is other.node and micros_of(one) == micros_of(other)


def _lost(view: View, are_apart: Callable[[Event, Event], bool]) -> Iterator[Event]:
    """The zeroings between two backward passes that clear unused gradients of the first."""
    used = {place for step in view.steps for place in step.held}
    places = _used_or_alike(view, used)
    for window in view.windows:
        for index, (_, zero) in enumerate(window.events):
            if zero.what is not What.ZERO:
                continue
            held = (each for each in zero.held if each not in used and each >= view.events[0][0])  # not of the loop before
            gone = [each for each in held if id(view.trace.events[each].node) in places]
            following = next((event for _, event in window.events[index:] if event.what is What.BACKWARD), None)
            if not gone or following is None or not following.terms:
                continue
            if begins_anew(zero, view.trace.events[gone[-1]]):
                continue
            between = [event for place, event in window.events[:index] if place > gone[-1]]
            apart = any(event.what in (What.END, What.PASS) for event in between)
            if not apart and are_apart(view.trace.events[gone[-1]], following):
                yield zero


def _used_or_alike(view: View, used: Iterable[int]) -> frozenset[int]:
    """The backward calls whose gradients some step uses, and those that compute the same loss for other micro-batches.

    The last micro-batch of a window may have a separate backward call, one that synchronizes.
    """
    taken = [view.trace.events[place] for place in used]
    losses = {_losses(event) for event in taken}
    micros = frozenset[int]().union(*map(micros_of, taken))
    places = {id(event.node) for event in taken}
    beside = {id(event.node) for event in view.backwards if not micros_of(event).isdisjoint(micros)}
    alike = {id(event.node) for event in view.backwards if _losses(event) in losses}
    return frozenset(places | (alike - beside))


def _losses(event: Event) -> frozenset[int]:
    """Where the losses of a backward pass are computed."""
    return frozenset(id(source.node) for source, _ in event.terms)


def begin_alike(view: View, larger: View) -> bool:
    """Whether the first window differs from the others by the same amount with a larger N, or has the same size with both."""
    first, other = view.first_size, larger.first_size
    if first == other:
        return (first == view.size) == (other == larger.size)
    return first - view.size == other - larger.size


# Several optimizers


def views(trace: Trace) -> Sequence[View]:
    """The trace as each optimizer that steps sees it."""
    return trace.once(_views)


def _views(trace: Trace) -> tuple[View, ...]:
    found = [View(trace, optimizer, events, home) for optimizer, home, events in sections(trace)]
    return tuple(view for view in found if view.steps)


def own_paces(found: Sequence[View]) -> frozenset[tuple[int, int]]:
    """The optimizers that share backward passes with another one but step at other times than it does."""
    if len(found) < 2:
        return frozenset()
    fed: dict[int, list[View]] = {}
    for view in found:
        for event in view.backwards:
            fed.setdefault(id(event), []).append(view)
    paces = {view.key: _pace(view) for view in found}
    apart = (views for views in fed.values() if len({paces[view.key] for view in views}) > 1)
    return frozenset(view.key for views in apart for view in views)


def _pace(view: View) -> tuple[int, ...]:
    """How many backward passes of the whole trace come before each step."""
    before = view.trace.once(_backward_places)
    own = {id(step) for step in view.steps}
    return tuple(bisect_left(before, place) for place, event in view.events if id(event) in own)


def _backward_places(trace: Trace) -> list[int]:
    return [place for place, event in enumerate(trace.events) if event.what is What.BACKWARD]
