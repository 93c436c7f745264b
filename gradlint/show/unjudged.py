"""The loops that cannot be judged: where, why, and what would help."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from gradlint.report.lines import count, safe
from gradlint.show.grid import At, Picture


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
    for each in picture.timelines:
        if each.unknown is not None:
            yield Unjudged(picture.filename, each.at, each.function, each.unknown.why, each.unknown.at, each.unknown.help)
    for other in picture.unrun:
        if other.unknown:
            yield Unjudged(picture.filename, other.at, other.function, other.why.removeprefix("unknown: "), other.at, "")


def as_text(pictures: Iterable[Picture]) -> Iterator[str]:
    """Two lines for each, and a line that says how many there are."""
    loops = missed = 0
    for picture in pictures:
        loops += len(picture.timelines) + sum(each.unknown for each in picture.unrun)
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
