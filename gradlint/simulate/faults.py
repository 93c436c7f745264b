"""A fault of the catalogue, as a trace shows it."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gradlint.simulate.trace import Event

WORTH_KNOWING = frozenset("GRD105 GRD106 GRD107 GRD108 GRD502 GRD503 GRD504 GRD601 GRD603".split())
"""Faults that may be a choice, or cost time alone: no loop is called wrong for one, and no fix is refused that leaves one behind."""


@dataclass(frozen=True, eq=False)
class Fault:
    """At which event it shows, the event that it is measured against, and the node to point at where it is not the event's.

    `about` is the code that makes it one, where that is no event; `beside` a step that is wrong itself, and without which it is seen.
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
        """The node that it is reported at."""
        return self.at if self.at is not None else self.event.node

    @property
    def key(self) -> tuple[str, int]:
        """What makes two faults the same in two worlds."""
        return self.code, id(self.place)
