"""The expressions that reach numbers at a place of the text: how a fix may write the accumulation steps there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gradlint.simulate.callables import ClassValue, External, Frame, Instance
from gradlint.simulate.values import Num, Opaque, number
from gradlint.simulate.world import known_package

Spelled = Mapping[str, Any]
"""Expressions, each with its number, or with the identity of an unknown object."""

DEPTH = 2
"""How many attributes and keys may be nested."""


def spelled_in(frame: Frame | None) -> Spelled:
    """The values reachable through the names of an activation record and its outer ones. An inner name hides an outer one."""
    found: dict[str, Any] = {}
    hidden: set[str] = set()
    while frame is not None:
        for name, value in list(frame.names.items()):
            if name not in hidden and name.isidentifier():
                hidden.add(name)
                found.update(_leading(name, value, DEPTH))
        frame = frame.outer
    return found


def _leading(expression: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    if kind is Num or kind is int or kind is float:
        if (number(value) or 0) > 1:
            yield expression, number(value)
        return
    if kind is Opaque or kind is External:
        if kind is Opaque or not known_package(value.path):
            yield expression, Stands(value.identity if kind is Opaque else value.last)
    if isinstance(value, (list, tuple)) and depth == DEPTH and len(value) > 1:
        yield f"len({expression})", len(value)
    for step, inner in _parts(value) if depth else ():
        yield from _leading(f"{expression}{step}", inner, depth - 1)


class Stands(str):
    """The identity of something unknown."""


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """The named parts of an object, with the code that reads each."""
    if isinstance(value, Instance):
        names = {**value.cls.names, **value.names}
    elif isinstance(value, ClassValue):
        names = value.names
    elif type(value) is Opaque:
        names = {key: each for key, each in value.kept.items() if isinstance(key, str)}
    elif isinstance(value, dict):
        yield from ((f'["{key}"]', each) for key, each in value.items() if isinstance(key, str) and '"' not in key)
        return
    else:
        return
    yield from ((f".{name}", each) for name, each in list(names.items()) if name.isidentifier())


def common(first: Spelled, second: Spelled) -> Spelled:
    """The expressions with the same value at two times."""
    return {expression: value for expression, value in first.items() if second.get(expression) == value}


def resolved(spelled: Spelled, settings: Mapping[str, float], wanted: Callable[[str], bool]) -> Mapping[str, float]:
    """The expressions with their numbers. For unknown objects, those are their settings that are `wanted`."""
    found = {expression: value for expression, value in spelled.items() if not isinstance(value, Stands)}
    names = [name for name in settings if wanted(name)]
    for expression, value in spelled.items():
        for name in names if isinstance(value, Stands) else ():
            rest = name.removeprefix(value)
            if name.startswith(value) and (not rest or rest[0] in ".["):
                found.setdefault(f"{expression}{rest}".replace("'", '"'), settings[name])
    return found
