"""Where the nodes of an observed run are, in whichever of the user's files."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst

from gradlint.observe.files import Files
from gradlint.show.grid import At
from gradlint.show.loops import Loop
from gradlint.show.reading import Reading


@dataclass(frozen=True, eq=False)
class ObservedReading(Reading):
    """Reads the file of a loop, and finds the lines of calls in others."""

    files: Files = field(default_factory=Files)

    @classmethod
    def of(cls, loop: Loop, files: Files) -> ObservedReading | None:
        """The reading of the file that a loop is in; None if it is in no file of the user's."""
        nodes = [loop.node] if loop.node is not None else [event.node for event in loop.trace.events]
        known = next((place for node in nodes if node is not None and (place := files.place_of(node)) is not None), None)
        return cls(known[0].source, known[0].name, files=files) if known is not None else None

    def at(self, node: cst.CSTNode) -> At:
        known = self.files.place_of(node)
        return At(known[1] if known is not None else 1)
