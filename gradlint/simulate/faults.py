"""A fault of the catalogue, found in a trace."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gradlint.simulate.trace import Event

WORTH_KNOWING = frozenset("GRD105 GRD106 GRD107 GRD108 GRD502 GRD503 GRD504 GRD601 GRD603".split())
"""Faults that may be intended, or that only cost time. They do not make a loop wrong, and a fix may leave them in place."""


@dataclass(frozen=True, eq=False)
class Fault:
    """The event that shows a fault, the event it is measured against, and the node to report if it is not the event's.

    `about` is the code that causes the fault, if that is not an event. `beside` is a step that is wrong itself: the fault shows
    if that step is ignored.
    """

    code: str
    event: Event
    other: Event | None = None
    why: str = ""
    at: cst.CSTNode | None = None
    about: cst.CSTNode | None = None
    beside: cst.CSTNode | None = None

    @property
    def place(self) -> cst.CSTNode:
        """The node to report the fault at."""
        return self.at if self.at is not None else self.event.node

    @property
    def key(self) -> tuple[str, int]:
        """Identify the same fault in different worlds."""
        return self.code, id(self.place)
