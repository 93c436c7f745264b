"""Blocks of compiled statements, and the signals with which a statement stops the rest of its block."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from gradlint.simulate.callables import Frame

BREAK, CONTINUE = "break", "continue"
Signal = Any
Plain = Callable[[Frame], Signal]
Flowing = Callable[[Frame], Generator[Any, Any, Signal]]
Block = tuple[tuple[bool, Callable[[Frame], Any]], ...]


class Returned:
    """The signal of a `return`."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def run_block(block: Block, frame: Frame) -> Generator[Any, Any, Signal]:
    """Run statements until one of them signals to stop."""
    for flowing, statement in block:
        signal = (yield from statement(frame)) if flowing else statement(frame)
        if signal is not None:
            return signal
    return None
