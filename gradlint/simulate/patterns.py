"""Compiles the patterns of a `match` statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from gradlint.simulate import comparisons, conditions
from gradlint.simulate.callables import Frame

Matches = Callable[[Frame, Any], Any]
"""Returns the truth of a match, and binds the names in the pattern."""


def pattern(node: cst.CSTNode) -> Matches:
    """The closure that matches a value against a pattern."""
    from gradlint.simulate.expressions import expression

    if isinstance(node, (cst.MatchValue, cst.MatchSingleton)):
        value = expression(node.value)
        return lambda frame, subject: comparisons.compare(frame.machine, cst.Equal, subject, value(frame))
    if isinstance(node, cst.MatchAs):
        return _capture(node)
    if isinstance(node, cst.MatchOr):
        parts = [pattern(each.pattern) for each in node.patterns]
        return lambda frame, subject: _any(frame, subject, parts)
    if isinstance(node, (cst.MatchTuple, cst.MatchList)):
        inner = [pattern(each.value) for each in node.patterns if isinstance(each, cst.MatchSequenceElement)]
        return lambda frame, subject: _sequence(frame, subject, inner)
    return lambda frame, subject: False


def _capture(node: cst.MatchAs) -> Matches:
    inner = pattern(node.pattern) if node.pattern is not None else None
    name = node.name.value if node.name is not None else None

    def run(frame: Frame, subject: Any) -> Any:
        found = inner(frame, subject) if inner is not None else True
        if name is not None:
            frame.bind(name, subject)
        return found

    return run


def _any(frame: Frame, subject: Any, parts: list[Matches]) -> Any:
    found: Any = False
    for part in parts:
        found = part(frame, subject)
        if conditions.certain(found) is not False:
            return found
    return found


def _sequence(frame: Frame, subject: Any, parts: list[Matches]) -> Any:
    if not isinstance(subject, (tuple, list)) or len(subject) != len(parts):
        return False
    found: Any = True
    for part, each in zip(parts, subject, strict=True):
        one = part(frame, each)
        if conditions.certain(one) is False:
            return one
        found = one if found is True else found
    return found
