"""Which iteration of which loop a recorded event ran in.

A program is not traced line by line, so iterations are inferred: what a loader hands out begins one, and so does an event that
comes before the last one in the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst

from gradlint.observe.files import Files, Span
from gradlint.observe.record import Record


@dataclass(frozen=True, eq=False)
class Around:
    """The running loops of an event, outermost first, with their iterations and how many came before in the same loop."""

    loops: tuple[cst.CSTNode, ...]
    turns: tuple[int, ...]
    rounds: tuple[int, ...]


@dataclass(frozen=True)
class _Step:
    """A part of the way to an event: a loop that runs, or the call itself. Parts are ordered by where they end."""

    place: int
    loop: cst.CSTNode | None = None


@dataclass(eq=False)
class Turns:
    """The state of the running loops, from event to event."""

    files: Files
    way: tuple[_Step, ...] = ()
    last: tuple[str, int] = ("", -1)
    running: list[tuple[cst.CSTNode, int, int]] = field(default_factory=list)
    """Each running loop with its iteration and how many came before."""
    count: int = 0

    def around(self, record: Record) -> Around:
        """The loops of the next event."""
        way = self._way(record)
        key = (record.what, record["optimizer"] if record["optimizer"] is not None else -1)
        shared = self._shared(way)
        begins = self._begins(way, shared, key)
        loops = [each.loop for each in way if each.loop is not None]
        kept = [each.loop for each in way[:shared] if each.loop is not None]
        running = self.running[: len(kept)]
        if begins and running:
            loop, _, before = running[-1]
            self.count += 1
            running[-1] = (loop, self.count, before + 1)
        for loop in loops[len(running) :]:
            assert loop is not None
            self.count += 1
            running.append((loop, self.count, 0))
        self.way, self.last, self.running = way, key, running
        return Around(*(tuple(each) for each in zip(*running, strict=True))) if running else Around((), (), ())

    def _shared(self, way: tuple[_Step, ...]) -> int:
        """How many parts two events have in common, from the outermost."""
        count = 0
        for mine, theirs in zip(way, self.way, strict=False):
            if mine != theirs:
                break
            count += 1
        return count

    def _begins(self, way: tuple[_Step, ...], shared: int, key: tuple[str, int]) -> bool:
        """Whether an event is in another iteration of the innermost loop that it shares with the last one."""
        if shared == len(way) == len(self.way):
            return key == self.last
        if shared >= len(way) or shared >= len(self.way):
            return False
        return way[shared].place < self.way[shared].place

    def _way(self, record: Record) -> tuple[_Step, ...]:
        found: list[_Step] = []
        for spot in reversed(record.at):
            file = self.files.of(spot[0])
            if file is None:
                continue
            span = file.span(spot)
            innermost = spot is record.at[0]
            around = file.loops(span, header=innermost and record.what == "draw")
            found += [_Step(own[1], loop) for loop, own in around]
            found.append(_Step(_ends(file.loops(span, header=True), around, span, record.what), None))
        return tuple(found)


def _ends(every: list[tuple[cst.CSTNode, Span]], around: list[tuple[cst.CSTNode, Span]], span: Span, what: str) -> int:
    """Where the call ends in the text. The end of a pass comes when its loop is over."""
    if what == "end" and len(every) > len(around):
        return every[len(around)][1][1]
    return span[1]
