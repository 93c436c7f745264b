"""Lists the loops that cannot be judged: where they are, why, and what would help."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from gradlint.report.lines import count, safe
from gradlint.show.grid import At, Picture, Timeline, Undrawn


@dataclass(frozen=True)
class Unjudged:
    """A loop, or a function with a backward pass, that cannot be judged, and the line that the reason is about."""

    filename: str
    at: At
    function: str
    why: str
    about: At
    help: str


def unjudged(picture: Picture) -> Iterator[Unjudged]:
    """Yield what cannot be judged in a file."""
    for each in _loops(picture):
        if each.unknown is not None:
            yield Unjudged(picture.filename, each.at, each.function, each.unknown.why, each.unknown.at, each.unknown.help)


def _loops(picture: Picture) -> list[Timeline | Undrawn]:
    """Return the loops that have a verdict, each once. Several timelines may draw the branches of one loop."""
    loops: list[Timeline | Undrawn] = [*picture.undrawn, *picture.timelines]
    return list({each.at: each for each in loops if each.answer}.values())


def as_text(pictures: Iterable[Picture]) -> Iterator[str]:
    """Yield up to two lines for each loop, and a line with their number."""
    loops = missed = 0
    for picture in pictures:
        loops += len(_loops(picture))
        for each in unjudged(picture):
            missed += 1
            yield safe(f"{each.filename}:{each.about.pointer}: {each.function}: {each.why}")
            if each.help:
                yield safe(f"  help: {each.help}")
    if not loops:
        yield "No training loop found."
    else:
        yield f"{missed} of {count(loops, 'training loop', 'training loops')} cannot be judged."


def as_json(pictures: Iterable[Picture]) -> Iterator[str]:
    """Yield the loops as one JSON array."""
    yield json.dumps([asdict(each) for picture in pictures for each in unjudged(picture)], indent=2)
