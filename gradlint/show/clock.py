"""A small simulation: on which of the drawn micro-batches an event runs, as far as the model knows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gradlint.model.types import Boundary, Cadence, Engine, Event, Kind, Phase, TrainingLoop
from gradlint.show.grid import Column, Mark, Part

WHOLE = 8
"""Windows of so many micro-batches are drawn whole; of longer ones the middle is left out."""
LONGEST = 4000
"""A longer window is drawn as one of unknown length: its numbers would not fit."""
STANDS_FOR_N = 4
Marks = tuple[Mark, ...]


@dataclass(frozen=True)
class Clock:
    """The micro-batches of two windows of `n` and of a tail; `shown` are the indices, from 0, that get a column.

    With n = 1, or without `windows`, every micro-batch is an update; `n` may still be a period of something else.
    """

    n: int
    tail: int
    shown: tuple[int, ...]
    flushed_after: bool = False
    windows: bool = True

    @property
    def length(self) -> int:
        return 2 * self.n + self.tail

    def closes(self, k: int) -> bool:
        """Whether a window should end with a micro-batch: each full one, and the tail unless it is flushed after the pass."""
        return k % self.n == self.n - 1 or (k == self.length - 1 and not self.flushed_after)

    def first(self, boundary: Boundary) -> int | None:
        """The micro-batch of a window on which a boundary holds; None where that is not known, or beyond what is drawn."""
        index = boundary.offset - 1
        if boundary.steps.value is not None and boundary.steps.value < 1:
            return None
        if boundary.phase is Phase.UNKNOWN or (boundary.steps.value != self.n and not -self.n <= index < self.n):
            return None
        return index % self.n

    def holds(self, boundary: Boundary, k: int) -> bool | None:
        """Whether a boundary holds on a micro-batch; None where that is not known."""
        first = self.first(boundary)
        if first is None:
            return None
        # A counter that is compared with N itself, or with 0, has not come round yet.
        early = k == 0 and self.n > 1 and (boundary.skips_first is not None or not _comes_round(boundary))
        return (k % self.n == first and not early) or (boundary.flush and self.tail > 0 and k == self.length - 1)

    def part(self, k: int) -> Part:
        if self.n == 1:
            return Part.PLAIN
        if not self.windows:
            return Part.PERIOD if k < self.n else Part.NEXT_PERIOD
        return Part.FIRST if k < self.n else Part.SECOND if k < 2 * self.n else Part.TAIL


def _comes_round(boundary: Boundary) -> bool:
    return boundary.modulus is not None or boundary.engine is not Engine.NONE


def clock_of(loop: TrainingLoop, value: int | None, *, windows: bool, tail: bool) -> Clock:
    """What is drawn of a loop whose N is `value` (None: not known), and whose optimizer steps once in `windows` or always."""
    paced = any(event.cadence in (Cadence.PER_UPDATE, Cadence.INSIDE_WINDOW) for event in loop.events if _counts(event))
    if value == 1 or not (windows or paced):
        return Clock(1, 2, tuple(range(4)))
    n = value if value is not None and 1 < value <= LONGEST else STANDS_FOR_N
    clock = Clock(n, n // 2 if tail and windows else 0, (), loop.flushed_after, windows)
    return replace(clock, shown=tuple(_shown(clock, loop)))


def _counts(event: Event) -> bool:
    return event.kind is not Kind.REPORT and (event.boundary is not None or event.engine is not Engine.NONE)


def _shown(clock: Clock, loop: TrainingLoop) -> list[int]:
    """The first and the last micro-batches of each part, and those between them at which a boundary holds."""
    if clock.n <= WHOLE:
        return list(range(clock.length))
    boundaries = [clock.first(event.boundary) for event in loop.events if event.boundary is not None]
    offsets = {0, clock.n - 1, *((1,) if clock.n < 100 else ()), *(each for each in boundaries if each is not None)}
    parts = ((0, clock.n), (clock.n, clock.n), (2 * clock.n, clock.tail))
    return sorted(
        {start + k for start, size in parts for k in offsets if k < size} | {start + size - 1 for start, size in parts if size}
    )


def columns_of(clock: Clock) -> tuple[Column, ...]:
    """One column before the pass, one for each micro-batch that is shown, and one after it."""
    inner = [Column(clock.part(k), k + 1) for k in clock.shown]
    return (Column(Part.BEFORE), *inner, Column(Part.AFTER))


# When an event runs


def marks_of(event: Event, loop: TrainingLoop, clock: Clock) -> Marks:
    """What an event does before the pass, on each micro-batch that is shown, and after the pass."""
    blank = (Mark.NOTHING,) * len(clock.shown)
    early = loop.guard is None or event.index < loop.guard.index
    around = outside(event, loop)
    once = event.cadence in (Cadence.PER_EPOCH, Cadence.ONCE)
    if once or (around and event.cadence is Cadence.UNKNOWN and not loop.walks.windowed):
        mark = Mark.HAPPENS if once else Mark.UNKNOWN
        return (mark, *blank, Mark.NOTHING) if early else (Mark.NOTHING, *blank, mark)
    if around and loop.walks.windowed:
        mark = Mark.UNKNOWN if event.cadence is Cadence.UNKNOWN else Mark.HAPPENS
        place = 0 if early else clock.n - 1
        inner = tuple(mark if k % clock.n == place else Mark.NOTHING for k in clock.shown)
    else:
        gating = _gate(event, loop) or event
        inner = tuple(_mark(gating, loop, clock, k) for k in clock.shown)
    return (Mark.NOTHING, *inner, Mark.NOTHING)


def outside(event: Event, loop: TrainingLoop) -> bool:
    """Whether an event stands beside the loop and not in its body."""
    return loop.guard is not None and all(guard is not loop.guard for guard in event.path)


def _gate(event: Event, loop: TrainingLoop) -> Event | None:
    """The backward pass without which an event does not run, where that one is gated.

    Cadences compare with the backward passes that feed an event: where those run now and then, so does the event.
    """
    if event.cadence is not Cadence.PER_MICRO_BATCH or event.kind is Kind.BACKWARD:
        return None
    arms = _arms(event)
    for other in loop.all(Kind.BACKWARD):
        if other.cadence in (Cadence.PER_UPDATE, Cadence.INSIDE_WINDOW) and other.boundary is not None and _arms(other) <= arms:
            return other
    return None


def _arms(event: Event) -> frozenset[tuple[object, int]]:
    return frozenset((guard.group, guard.arm) for guard in event.path if guard.kind == "branch")


def _mark(event: Event, loop: TrainingLoop, clock: Clock, k: int) -> Mark:
    if event.cadence is Cadence.UNKNOWN or _decided_by_argument(event):
        return Mark.UNKNOWN
    if event.cadence is Cadence.PER_MICRO_BATCH:
        return Mark.HAPPENS
    boundary = event.boundary
    if boundary is None:
        # Without an engine this is the arm of a test of N on which N is 1.
        held: bool | None = (loop.engine is not Engine.NONE or clock.n == 1) and clock.closes(k)
    else:
        held = True if clock.n == 1 else clock.holds(boundary, k)
    if held is None:
        return Mark.UNKNOWN
    if held is not (event.cadence is Cadence.PER_UPDATE):
        return Mark.NOTHING
    return Mark.MAYBE if event.conditional else Mark.HAPPENS


def _decided_by_argument(event: Event) -> bool:
    """`fabric.no_backward_sync(model, enabled=...)`: whether it does anything is what its argument says."""
    return event.kind is Kind.NO_SYNC and any(arg.keyword is not None and arg.keyword.value == "enabled" for arg in event.args)


def merged(a: Marks, b: Marks) -> Marks:
    """What two events do together."""
    return tuple(x if _STRENGTH[x] >= _STRENGTH[y] else y for x, y in zip(a, b, strict=True))


_STRENGTH = {mark: strength for strength, mark in enumerate((Mark.NOTHING, Mark.UNKNOWN, Mark.MAYBE, Mark.HAPPENS))}
