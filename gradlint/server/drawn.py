"""The timelines of one version of a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradlint.server.documents import Document


@dataclass(frozen=True)
class Sketch:
    """The timeline of one loop, as SVG: its function, its rows in the code, and the verdict on it in words."""

    svg: str
    function: str
    first: int
    last: int
    answer: str


@dataclass(frozen=True, eq=False)
class Drawing:
    """The timelines of a document. `note` says why there are none. `at` returns the timeline for a row of the code."""

    document: Document
    at: Callable[[int], Sketch | None]
    note: str = ""
