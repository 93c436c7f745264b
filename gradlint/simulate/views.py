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
    """A trace, or the part of it in one of several loops that follow each other, as one optimizer sees it."""

    def __init__(self, trace: Trace, optimizer: Stepper, events: Sequence[Placed], home: int = 0) -> None:
        self.trace = trace
        self.optimizer = optimizer
        self.key = (optimizer.number, home)
        number = optimizer.number
        self.events = training(list(events))
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
        """The same as if one place did not step."""
        kept = [each for each in self.events if not (each[1].what is What.STEP and each[1].node is node)]
        return View(self.trace, self.optimizer, kept, self.key[1])

    def repeats(self, larger: Trace) -> bool:
        """Whether it is what an optimizer built before at the same place has shown, and another run was left before it came."""
        former = any(each.number < self.optimizer.number for each in built_at(self.optimizer, self.trace))
        return former and larger.cut and self.optimizer.number >= len(larger.optimizers)

    # Windows

    @cached_property
    def sizes(self) -> list[int]:
        """How many micro-batches were backpropagated for each step."""
        return [len(window.micros) for window in self.closed]

    @cached_property
    def size(self) -> int:
        """The size of a whole window: the commonest of those that neither begin nor end a pass over the data."""
        ending = self._broken_off
        inner = [len(each.micros) for each in self.closed if not (each.begins or self.ends(each) or each in ending)]
        sizes = [size for size in inner or self.sizes if size]
        counts = Counter(sizes)
        told = {self.trace.n if self.trace.n_names else 0, *self.trace.literals}
        return max(counts, key=lambda size: (counts[size], size in told, size), default=0)

    @property
    def _broken_off(self) -> list[Window]:
        """The windows behind which a pass over the data is left before its end; if any is, the last one of the run, too."""
        found = [
            window
            for window, following in zip(self.windows, self.windows[1:], strict=False)
            if following.opens and not self.ends(window)
        ]
        return [*found, *self.closed[-1:]] if found else []

    @property
    def actual(self) -> int:
        """The size of whole windows where nobody sets N; 0 where that is not in sight."""
        return self.trace.actual_n if self.size == self.trace.n else 0

    @property
    def first_size(self) -> int:
        """How many micro-batches the first step that has any is for."""
        return next((size for size in self.sizes if size), 0)

    @property
    def literal(self) -> bool:
        """Whether its windows, if another N leaves them as they are, are of a size that the text itself gives.

        They are not the passes over the data: some pass has several of them.
        """
        passes = len({id(event) for event in self.of(What.PASS)})
        return self.size in self.trace.literals or self.sizes.count(self.size) > max(passes, 1)

    def ends(self, window: Window) -> bool:
        """Whether a pass over the data is over before the next micro-batch."""
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
        """Whether an update is made, or was meant to be made, of several micro-batches."""
        return self.size > 1 and (any(count > 1 for count in self.held) or bool(self.lost))

    @cached_property
    def written_out(self) -> bool:
        """Whether the gradients of each step are made in its own iteration, by backward passes that stand in the text one by one."""
        return all(self._is_of_its_iteration(step) for step in self.steps)

    def _is_of_its_iteration(self, step: Event) -> bool:
        found = [self.trace.events[place] for place in step.held]
        apart = len({id(event.node) for event in found}) == len(found)
        return apart and all((event.loops, event.turns) == (step.loops, step.turns) for event in found)

    @cached_property
    def lost(self) -> list[Event]:
        """The zeroings that clear gradients, unused, between two micro-batches of a window, from the first windows on."""
        found = list(_lost(self, _of_other_batches))
        first = [event for window in self.windows[:2] for _, event in window.events]
        return found if any(event is zero for zero in found[:1] for event in first) else []

    @cached_property
    def torn(self) -> list[Event]:
        """The zeroings that clear gradients, unused, between two parts of the same samples."""
        return list(_lost(self, _of_other_stretches))

    # What the data decide

    @cached_property
    def _common(self) -> frozenset[tuple[int, int]]:
        """The arms that the data decide, and that all backward passes are in."""
        arms = [varying(event) for event in self.backwards]
        return frozenset.intersection(*arms) if arms else frozenset()

    def uncertain(self, event: Event | None) -> bool:
        """Whether the data decide if an event happens, given that a backward pass does."""
        return event is not None and not varying(event) <= self._common

    @cached_property
    def blind(self) -> bool:
        """Whether some step meets no gradients within a pass over the data: they come from a backward pass out of sight."""
        empty = [window for window in self.closed if not window.backwards and not _flushes(window)]
        return any(window.step is not None and not window.step.terms for window in empty)

    @cached_property
    def doubt(self) -> str:
        """Why nothing can be said of the windows; "" where it can."""
        if self.blind:
            return "gradlint sees no backward pass before a step"
        if any(map(self.uncertain, self.steps)):
            return "the data decide whether the optimizer steps"
        return ""


def _flushes(window: Window) -> bool:
    """Whether a step comes when a pass over the data is over: it may find nothing left to do."""
    return any(event.what is What.END for _, event in window.events)


def _of_other_batches(one: Event, other: Event) -> bool:
    """Whether two backward passes have no micro-batch in common."""
    return micros_of(one).isdisjoint(micros_of(other))


def _of_other_stretches(one: Event, other: Event) -> bool:
    """Whether a backward pass comes again for further parts of the same samples."""
    further = bool(one.stretches) and not other.stretches <= one.stretches
    return further and one.node is other.node and micros_of(one) == micros_of(other)


def _lost(view: View, are_apart: Callable[[Event, Event], bool]) -> Iterator[Event]:
    """The zeroings between two backward passes that clear what no step used of the first."""
    used = {place for step in view.steps for place in step.held}
    places = _used_or_alike(view, used)
    for window in view.windows:
        for index, (_, zero) in enumerate(window.events):
            if zero.what is not What.ZERO:
                continue
            gone = [each for each in zero.held if each not in used and id(view.trace.events[each].node) in places]
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
    """The places of the backward passes that some step uses, and of those that other micro-batches have of the same loss:
    the last one of a window may have a backward pass of its own, which synchronises."""
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
    """Whether the first window differs from the others as it does with a larger N: by as much, or by being of one size with both."""
    first, other = view.first_size, larger.first_size
    if first == other:
        return (first == view.size) == (other == larger.size)
    return first - view.size == other - larger.size


# Several optimizers


def views(trace: Trace) -> Sequence[View]:
    """The trace as each optimizer sees it that steps."""
    return trace.once(_views)


def _views(trace: Trace) -> tuple[View, ...]:
    found = [View(trace, optimizer, events, home) for optimizer, home, events in sections(trace)]
    return tuple(view for view in found if view.steps)


def own_paces(found: Sequence[View]) -> frozenset[tuple[int, int]]:
    """The optimizers that are fed by the same backward passes as another one, and step after other ones than that."""
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
    """After how many backward passes of the whole trace each step comes."""
    before = view.trace.once(_backward_places)
    own = {id(step) for step in view.steps}
    return tuple(bisect_left(before, place) for place, event in view.events if id(event) in own)


def _backward_places(trace: Trace) -> list[int]:
    return [place for place, event in enumerate(trace.events) if event.what is What.BACKWARD]
