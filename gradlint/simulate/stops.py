"""Exceptions that end a run, or a part of it, before its text does."""

from __future__ import annotations

from typing import Any

import libcst as cst

TOO_LONG = "the run takes too many steps to follow"
"""The reason if a run has used up its budget."""


class Stopped(Exception):
    """Ends the run; what was seen so far remains valid. `reason` is empty if enough was seen."""

    def __init__(self, reason: str = "", node: cst.CSTNode | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


class Raised(Exception):
    """An exception of the simulated code, with the name of its class."""

    def __init__(self, name: str, value: Any = None) -> None:
        super().__init__(name)
        self.name = name
        self.value = value


def handles(names: frozenset[str], raised: str) -> bool:
    """Whether a handler catches an exception: it names it, names one of its universal base classes, or is bare."""
    return not names or raised in names or not names.isdisjoint(("Exception", "BaseException"))


class Abandoned(Exception):
    """Raised when a function that does not affect training takes too many steps."""
