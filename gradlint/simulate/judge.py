"""Tells the catalogue's faults from traces. Nothing here has seen the text of the program.

A trace is cut, for each optimizer, into windows: what happens from one of its steps to the next. What each step finds in the
gradients decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isclose

from gradlint.simulate.trace import Event, Stepper, Trace, What

CLOSE = 1e-6


@dataclass(frozen=True, eq=False)
class Fault:
    """A fault of the catalogue: at which event it shows, and the event that it is measured against."""

    code: str
    event: Event
    other: Event | None = None
    why: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """What makes two faults the same in two worlds."""
        return self.code, id(self.event.node)


@dataclass(frozen=True, eq=False)
class Window:
    """What happens up to one step of an optimizer, which is None where no step came any more."""

    events: tuple[tuple[int, Event], ...]
    step: Event | None

    def of(self, *what: What) -> list[Event]:
        """The events of some kinds."""
        return [event for _, event in self.events if event.what in what]

    @cached_property
    def backwards(self) -> list[Event]:
        """The backward passes."""
        return self.of(What.BACKWARD)

    @cached_property
    def begins(self) -> bool:
        """Whether a pass over the data begins in it."""
        return any(event.what is What.PASS for _, event in self.events)

    @cached_property
    def micros(self) -> frozenset[int]:
        """The micro-batches that were backpropagated."""
        return frozenset(source.micro for event in self.backwards for source, _ in event.terms)

    def between(self, what: What) -> list[Event]:
        """The events of a kind that have a backward pass of the window before them and one after, in the same pass over the data."""
        found: list[Event] = []
        waiting: list[Event] = []
        seen = False
        for event in (each for _, each in self.events):
            if event.what is What.BACKWARD:
                found += waiting
                waiting, seen = [], True
            elif event.what in (What.PASS, What.END):
                waiting, seen = [], False
            elif event.what is what and seen:
                waiting.append(event)
        return found

    def after_last(self, what: What) -> list[Event]:
        """The events of a kind between the last backward pass and the step."""
        found: list[Event] = []
        seen = False
        for event in (each for _, each in self.events):
            if event.what is What.BACKWARD:
                found, seen = [], True
            elif event.what is what and seen:
                found.append(event)
        return found


class View:
    """A trace as one optimizer sees it."""

    def __init__(self, trace: Trace, optimizer: Stepper) -> None:
        self.trace = trace
        self.optimizer = optimizer
        number = optimizer.number
        self.events = [(place, event) for place, event in enumerate(trace.events) if event.concerns(number)]
        self.windows = _windows(self.events, number)
        self.closed = [window for window in self.windows if window.step is not None]
        self.steps = [event for _, event in self.events if event.what is What.STEP and event.target == number]

    @cached_property
    def sizes(self) -> list[int]:
        """How many micro-batches were backpropagated for each step."""
        return [len(window.micros) for window in self.closed]

    @cached_property
    def size(self) -> int:
        """The size of a whole window: the commonest of those that neither begin nor end a pass over the data."""
        inner = [len(window.micros) for window in self.closed if not (window.begins or self.ends(window))]
        sizes = [size for size in inner or self.sizes if size]
        counts = Counter(sizes)
        return max(counts, key=lambda size: (counts[size], size), default=0)

    def ends(self, window: Window) -> bool:
        """Whether a pass over the data is over before the next micro-batch."""
        place = self.windows.index(window)
        following = self.windows[place + 1].events if place + 1 < len(self.windows) else ()
        for _, event in following:
            if event.what is What.BACKWARD:
                return False
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
        return self.size > 1 and (any(count > 1 for count in self.held) or self.loses)

    @cached_property
    def loses(self) -> bool:
        """Whether gradients of the very backward pass that steps are made of are cleared unused, within a window."""
        return bool(list(zeroed_inside(self)))


def _windows(events: Sequence[tuple[int, Event]], number: int) -> list[Window]:
    windows: list[Window] = []
    current: list[tuple[int, Event]] = []
    for place, event in events:
        current.append((place, event))
        if event.what is What.STEP and event.target == number:
            windows.append(Window(tuple(current), event))
            current = []
    return [*windows, Window(tuple(current), None)]


def views(trace: Trace) -> list[View]:
    """The trace as each optimizer sees it that steps."""
    return [view for view in (View(trace, each) for each in trace.optimizers) if view.steps]


def judge(trace: Trace, larger: Trace | None) -> list[Fault]:
    """The faults of a run; `larger` is the run of the same world with a larger N, which tells what depends on N."""
    found: list[Fault] = []
    others = {view.optimizer.number: view for view in views(larger)} if larger is not None else {}
    for view in views(trace):
        found += _of_any(view)
        if view.accumulates:
            found += _of_windows(view)
            found += _of_loss(view, others.get(view.optimizer.number))
        else:
            found += _stepping_inside(view, others.get(view.optimizer.number))
    unique: dict[tuple[str, int], Fault] = {}
    for fault in found:
        unique.setdefault(fault.key, fault)
    return list(unique.values())


# What is wrong in any training loop


def _of_any(view: View) -> Iterator[Fault]:
    trace = view.trace
    if len(view.steps) > 1 and not any(event.what is What.ZERO for _, event in view.events):
        yield Fault("GRD205", view.steps[0])
    for window in view.closed:
        step = window.step
        assert step is not None
        backwards = window.backwards
        if backwards and not step.terms:
            for zero in window.after_last(What.ZERO)[:1]:
                yield Fault("GRD206", zero, step)
        for clip in window.of(What.CLIP):
            if clip.scaled and clip.terms and not clip.through:
                yield Fault("GRD302", clip)
        own = [trace.events[place] for place in step.held]
        if own and step.through not in ("wrapper argument", "deepspeed"):
            scaled = [event.scaled for event in own]
            if any(scaled) != step.scaled:
                yield Fault("GRD306", step, own[-1])
        if backwards:
            for schedule in window.after_last(What.SCHEDULE):
                if not schedule.handed:
                    yield Fault("GRD403", schedule, step)
    for window in view.windows[1:]:
        for clip in _before_first_backward(window, What.CLIP):
            yield Fault("GRD303", clip, view.steps[0])
    scaled_steps = [step for step in view.steps if step.scaled and step.through == "scaler"]
    if scaled_steps and not trace.of(What.SCALER_UPDATE):
        yield Fault("GRD307", scaled_steps[0])


def _before_first_backward(window: Window, what: What) -> list[Event]:
    found: list[Event] = []
    for _, event in window.events:
        if event.what is What.BACKWARD:
            break
        if event.what is what:
            found.append(event)
    return found


# What is wrong where a step closes several micro-batches


def _of_windows(view: View) -> Iterator[Fault]:
    closed = [window for window in view.closed if window.micros]
    sizes = [len(window.micros) for window in closed]
    if len(sizes) > 1 and sizes[0] != view.size and sizes[1] == view.size and not _is_tail(view, closed[0]):
        step = closed[0].step
        assert step is not None
        yield Fault("GRD201", step)
    yield from tails(view)
    for zero in zeroed_inside(view):
        yield Fault("GRD203", zero, view.steps[0])
    reused = _reused(view)
    if reused is not None:
        yield Fault("GRD204", reused)
    for window in view.windows:
        if not _within(window, view):
            continue
        for what, code in _INSIDE:
            for event in window.between(what):
                if what is What.CLIP and not event.terms:
                    continue
                yield Fault(code, event, window.step or view.steps[0])
        yield from _twice(window, What.SCHEDULE, "GRD401", view)
        yield from _twice(window, What.AVERAGE, "GRD404", view)


_INSIDE = ((What.CLIP, "GRD301"), (What.UNSCALE, "GRD304"), (What.SCALER_UPDATE, "GRD305"))


def _within(window: Window, view: View) -> bool:
    return len(window.micros) > 1


def _is_tail(view: View, window: Window) -> bool:
    """The window ends where a pass over the data ends: it is a partial one."""
    return any(event.what is What.END for _, event in window.events)


def _twice(window: Window, what: What, code: str, view: View) -> Iterator[Fault]:
    """Something that should happen once an update happens on both sides of a backward pass."""
    events = [event for _, event in window.events]
    for event in window.of(what):
        if event.handed:
            continue
        places = [k for k, each in enumerate(events) if each.what is what and each.node is event.node]
        if any(each.what is What.BACKWARD for each in events[places[0] : places[-1]]):
            ends = any(each.what is What.END for each in events[places[0] : places[-1]])
            if not ends or len(places) > 2:
                yield Fault(code, event, window.step or view.steps[0])


def zeroed_inside(view: View) -> Iterator[Event]:
    """Gradients are cleared between two micro-batches of a window, and nothing used them."""
    used = {place for other in view.trace.of(What.STEP) for place in other.held}
    nodes = {id(view.trace.events[place].node) for step in view.steps for place in step.held}
    for window in view.windows:
        places = [place for place, event in window.events if event.what is What.BACKWARD]
        for place, zero in window.events:
            if zero.what is not What.ZERO or not places or place > places[-1]:
                continue
            lost = [each for each in zero.held if each not in used]
            same = [each for each in lost if id(view.trace.events[each].node) in nodes]
            if same and not any(e.what in (What.END, What.PASS) for k, e in window.events if same[-1] < k < place):
                following = next(k for k in places if k > place)
                if view.trace.events[following].terms and _other_micro(view.trace.events[same[-1]], view.trace.events[following]):
                    yield zero


def _other_micro(first: Event, second: Event) -> bool:
    return {source.micro for source, _ in first.terms}.isdisjoint(source.micro for source, _ in second.terms)


def _reused(view: View) -> Event | None:
    """A step that meets gradients which an earlier one has used, and that are cleared later."""
    if not any(event.what is What.ZERO for _, event in view.events):
        return None
    before: set[int] = set()
    for step in view.steps:
        if before & set(step.held) and set(step.held) - before:
            return step
        before = set(step.held)
    return None


def tails(view: View) -> Iterator[Fault]:
    """A pass over the data ends inside a window that never becomes a whole one."""
    pending: set[int] = set()
    events = [event for _, event in view.events]
    passes = [k for k, event in enumerate(events) if event.what is What.END]
    starts = {id(event.node): event for event in events if event.what is What.PASS}
    for end in passes:
        start = starts.get(id(events[end].node))
        if start is None or start.through == "endless":
            continue
        pending = _micros_since_step(events[:end], view)
        if not pending or len(pending) >= view.size:
            continue
        outcome = _fate(events[end + 1 :], pending, view)
        if outcome == "lost" or (outcome == "left" and len(passes) == 1 and start.through == ""):
            step = view.steps[-1]
            yield Fault("GRD202", step, events[end])
            return


def _micros_since_step(events: Sequence[Event], view: View) -> set[int]:
    found: set[int] = set()
    for event in reversed(events):
        if event.what is What.STEP and event.target == view.optimizer.number:
            break
        if event.what is What.BACKWARD:
            found |= {source.micro for source, _ in event.terms}
        if event.what is What.PASS and not found:
            break
    return found


def _fate(events: Sequence[Event], pending: set[int], view: View) -> str:
    """What becomes of the micro-batches that a pass leaves: "used" by a step before others come, or in a window of the right
    size; "lost" where they are cleared, or make a window too large; "left" where the run is over."""
    came: set[int] = set()
    for event in events:
        if event.what is What.BACKWARD:
            came |= {source.micro for source, _ in event.terms}
        elif event.what is What.ZERO and (event.held or not came):
            return "lost" if {s.micro for s, _ in event.terms} & pending else "used" if not came else "lost"
        elif event.what is What.STEP and event.target == view.optimizer.number:
            if not came:
                return "used"
            return "used" if len(pending) + len(came) == view.size else "lost"
    return "left"


# The loss


def _of_loss(view: View, larger: View | None) -> Iterator[Fault]:
    """What each term of the loss was divided by, measured against the size of its window, with two sizes where there are."""
    if _rate_makes_up(view, larger):
        return
    mine, theirs = _factors(view), _factors(larger) if larger is not None else {}
    states: dict[int, tuple[str, Event]] = {}
    for key, (factor, doubt, event) in mine.items():
        other = theirs.get(key)
        states[key] = (_state(factor, doubt, view, other, larger), event)
    kinds = {state for state, _ in states.values()}
    by_event: dict[int, list[tuple[int, str]]] = {}
    for key, (state, event) in states.items():
        by_event.setdefault(id(event.node), []).append((key, state))
    for key, (state, event) in states.items():
        mates = {each for _, each in by_event[id(event.node)]}
        if state == "undivided" and "divided" in mates:
            yield Fault("GRD104", event, view.steps[-1], why=str(key))
        elif state == "undivided" and "unknown" not in kinds:
            yield Fault("GRD101", event, view.steps[-1])
        elif state == "twice":
            yield Fault("GRD102", event, view.steps[-1])
        elif state == "otherwise":
            yield Fault("GRD103", event, view.steps[-1])


def _factors(view: View) -> dict[int, tuple[float, str, Event]]:
    """For each place where a term of the loss begins: its factor times the window's size in a whole window, and its event."""
    found: dict[int, tuple[float, str, Event]] = {}
    for window in view.closed:
        step = window.step
        if step is None or len({source.micro for source, _ in step.terms}) != view.size:
            continue
        events = {place: view.trace.events[place] for place in step.held}
        for source, factor in step.terms:
            event = next((each for each in events.values() if any(own is source for own, _ in each.terms)), step)
            key = id(source.node)
            if key not in found:
                found[key] = (factor.value * view.size, factor.doubt, event)
            elif factor.doubt or not isclose(found[key][0], factor.value * view.size, rel_tol=CLOSE):
                found[key] = (
                    found[key][0],
                    found[key][1] or factor.doubt or "it differs from one micro-batch to the next",
                    event,
                )
    return found


def _state(factor: float, doubt: str, view: View, other: tuple[float, str, Event] | None, larger: View | None) -> str:
    """What happened to a term: "divided" by the window's size, "undivided", "twice" divided, divided "otherwise", or "unknown"."""
    if doubt or factor == 0.0:
        return "unknown"
    if other is None or larger is None or larger.size == view.size:
        return _alone(factor, view)
    if other[1] or other[0] == 0.0:
        return "unknown"
    ratio, sizes = other[0] / factor, larger.size / view.size
    if isclose(ratio, 1.0, rel_tol=CLOSE):
        return "divided"
    if isclose(ratio, sizes, rel_tol=CLOSE):
        return "undivided"
    if isclose(ratio, 1 / sizes, rel_tol=CLOSE):
        return "twice"
    return "unknown"


def _alone(factor: float, view: View) -> str:
    """A window whose size does not depend on a setting."""
    if isclose(factor, 1.0, rel_tol=CLOSE):
        return "divided"
    if isclose(factor, view.size, rel_tol=CLOSE):
        return "undivided"
    return "twice" if isclose(factor, 1.0 / view.size, rel_tol=CLOSE) else "unknown"


def _rate_makes_up(view: View, larger: View | None) -> bool:
    """The learning rate is divided by N, which makes up for an undivided loss."""
    rate, other = view.optimizer.rate, larger.optimizer.rate if larger is not None else None
    if not rate or not other or larger is None or larger.size == view.size:
        return False
    return isclose(rate / other, larger.size / view.size, rel_tol=CLOSE)


def _stepping_inside(view: View, larger: View | None) -> Iterator[Fault]:
    """Each micro-batch is stepped although its loss is divided by N."""
    if larger is None or view.size != 1 or larger.size != 1 or view.trace.n == larger.trace.n:
        return
    mine, theirs = _factors(view), _factors(larger)
    for key, (factor, doubt, _event) in mine.items():
        other = theirs.get(key)
        if other is None or doubt or other[1] or not other[0]:
            continue
        if isclose(factor / other[0], larger.trace.n / view.trace.n, rel_tol=CLOSE):
            yield Fault("GRD204", view.steps[0])
            return
