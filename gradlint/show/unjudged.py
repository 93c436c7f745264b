"""The loops that cannot be judged: where, why, and what would help."""

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
    """What cannot be judged in a file."""
    for each in _loops(picture):
        if each.unknown is not None:
            yield Unjudged(picture.filename, each.at, each.function, each.unknown.why, each.unknown.at, each.unknown.help)


def _loops(picture: Picture) -> list[Timeline | Undrawn]:
    """The loops that have a verdict, each once: several timelines may draw the arms of one."""
    loops: list[Timeline | Undrawn] = [*picture.undrawn, *picture.timelines]
    return list({each.at: each for each in loops if each.answer}.values())


def as_text(pictures: Iterable[Picture]) -> Iterator[str]:
    """Two lines for each, and a line that says how many there are."""
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
    """The same as one JSON array."""
    yield json.dumps([asdict(each) for picture in pictures for each in unjudged(picture)], indent=2)
