"""A fault of the catalogue, as a trace shows it."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gradlint.simulate.trace import Event


@dataclass(frozen=True, eq=False)
class Fault:
    """At which event it shows, the event that it is measured against, and the node to point at where it is not the event's."""

    code: str
    event: Event
    other: Event | None = None
    why: str = ""
    at: cst.CSTNode | None = None

    @property
    def place(self) -> cst.CSTNode:
        """The node that it is reported at."""
        return self.at if self.at is not None else self.event.node

    @property
    def key(self) -> tuple[str, int]:
        """What makes two faults the same in two worlds."""
        return self.code, id(self.place)
