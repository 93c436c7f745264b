"""Lines of code."""

from __future__ import annotations

from collections.abc import Iterable


def indent(lines: Iterable[str], by: int = 1) -> list[str]:
    """Lines so many levels deeper."""
    return [("    " * by + line) if line else line for line in lines]


def arms(test: str, lines: list[str], otherwise: list[str]) -> list[str]:
    """An `if` with both its arms."""
    return [f"if {test}:", *indent(lines), "else:", *indent(otherwise)]
