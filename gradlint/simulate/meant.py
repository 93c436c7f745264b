"""A trace as it was meant: without the zeroings that are wrong, so that the rest of a window can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from gradlint.simulate import zeroing
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.values import Factor, Source
from gradlint.simulate.views import View, views

_READ = frozenset((What.STEP, What.CLIP, What.UNSCALE, What.ZERO))
"""Events that record the contents of the gradients."""


@dataclass(frozen=True, eq=False)
class Meant:
    """How each optimizer sees a trace (`seen`), and how it would without wrong zeroings (`meant`, view by view)."""

    trace: Trace
    seen: Sequence[View]
    meant: Sequence[View]
    origins: dict[int, Event] = field(default_factory=dict)

    def origin(self, event: Event) -> Event:
        """The event of the trace that a replayed event came from."""
        return self.origins.get(id(event), event)


def meant(trace: Trace) -> Meant:
    """The views of a trace, and of the trace as it was meant."""
    seen = views(trace)
    inside = {id(zero.node) for view in seen for zero in view.lost}
    early = {id(fault.event) for view in seen if not view.blind for fault in zeroing.before_step(view)}
    if not inside and not early:
        return Meant(trace, seen, seen)
    events = list(_replayed(trace, inside, early))
    others = {view.key: view for view in views(replace(trace, events=tuple(events)))}
    origins = {id(new): old for new, old in zip(events, trace.events, strict=True)}
    return Meant(trace, seen, [others.get(view.key, view) for view in seen], origins)


@dataclass
class _Gradients:
    """The gradients of one optimizer: each term with the index of its backward pass."""

    parts: list[tuple[Source, Factor, int]] = field(default_factory=list)
    scaled: bool = False
    used: set[int] = field(default_factory=set)
    """The indexes of the backward passes that a step has used."""
    late: bool = False
    """Whether they are cleared after the optimizer steps."""

    def told(self, event: Event) -> Event:
        """An event with the current contents filled in."""
        terms = tuple((source, factor) for source, factor, _ in self.parts)
        held = tuple(dict.fromkeys(place for _, _, place in self.parts))
        return replace(event, terms=terms, held=held, scaled=self.scaled if event.what is What.CLIP else event.scaled)

    def add(self, event: Event, place: int) -> None:
        """Add a backward pass."""
        self.parts += [(source, factor, place) for source, factor in event.terms]
        self.scaled = event.scaled

    def rescale(self, by: Factor) -> None:
        """Multiply the gradients."""
        self.parts = [(source, factor.times(by), place) for source, factor, place in self.parts]

    def step(self) -> None:
        """Step the optimizer."""
        self.used.update(place for _, _, place in self.parts)
        if self.late:
            self.parts, self.late = [], False

    def clear(self, *, what_was_used: bool) -> bool:
        """Clear all gradients, or only those that a step has used; return whether none are left."""
        self.parts = [each for each in self.parts if what_was_used and each[2] not in self.used]
        return not self.parts


def _replayed(trace: Trace, inside: set[int], early: set[int]) -> Iterator[Event]:
    """The events, with zeroings inside windows limited to what was used, and zeroings before a step moved after it."""
    every = {optimizer.number: _Gradients() for optimizer in trace.optimizers}
    for place, event in enumerate(trace.events):
        own = every.get(event.target)
        if event.what is What.BACKWARD:
            for number, each in every.items():
                if event.concerns(number):
                    each.add(event, place)
        if own is None or event.what not in _READ:
            if own is not None and event.what is What.RESCALE and event.value is not None:
                own.rescale(event.value)
            yield event
            continue
        told = own.told(event)
        if event.what is What.UNSCALE:
            own.scaled = False
        elif event.what is What.STEP:
            own.step()
        elif id(event) in early:
            own.late, told = True, _unsaid(event)
        elif event.what is What.ZERO and not own.clear(what_was_used=id(event.node) in inside):
            told = _unsaid(event)
        yield told


def _unsaid(zero: Event) -> Event:
    """A zeroing as if it did not happen."""
    return replace(zero, what=What.CALL, terms=(), held=())
