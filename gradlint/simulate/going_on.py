"""How whoever waits for a simulation ends it: an editor whose text has changed since has no use for the result."""

from __future__ import annotations

from collections.abc import Callable

GoOn = Callable[[], None]
"""Called before each run. An exception from it ends the simulation."""


def to_the_end() -> None:
    """Let the simulation run to its end."""
