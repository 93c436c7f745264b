"""What ends a run, or a part of it, before its text does."""

from __future__ import annotations

from typing import Any

import libcst as cst

TOO_LONG = "the run takes too many steps to follow"
"""Why a run ends that has used up its budget."""


class Stopped(Exception):
    """The run ends here; what was seen until now stands. `reason` is empty where enough was seen."""

    def __init__(self, reason: str = "", node: cst.CSTNode | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


class Raised(Exception):
    """An exception of the simulated code, by the name of its class."""

    def __init__(self, name: str, value: Any = None) -> None:
        super().__init__(name)
        self.name = name
        self.value = value


def handles(names: frozenset[str], raised: str) -> bool:
    """Whether a handler is for an exception: it names it, or one of those that all others are, or none at all."""
    return not names or raised in names or not names.isdisjoint(("Exception", "BaseException"))


class Abandoned(Exception):
    """A function that does nothing to training takes too many steps to follow to its end."""
