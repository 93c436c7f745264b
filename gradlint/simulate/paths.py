"""Paths of files that the code names, as far as they lead to a settings file."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Any

import libcst as cst

from gradlint.simulate.arithmetic import binary
from gradlint.simulate.machine import Machine
from gradlint.simulate.values import PATH, Opaque

_OPENERS = frozenset("open Path PurePath read read_text abspath realpath normpath expanduser fspath resolve absolute".split())
"""Functions and methods whose result is the same file: its path, the open file, or its text."""


def path_of(value: Any) -> str | None:
    """The path that a string, an option, a path object or an open file leads to, if it is known."""
    if type(value) is Opaque:
        found = value.kept.get(PATH, value.default if value.has_default else None)
        return found if type(found) is str else None
    return value if type(value) is str else None


def same_file(last: str, args: Sequence[Any], callee: Any, made: Any) -> Any:
    """The result of a call by its last name, which may be the same file as its argument or its object, or one in its folder."""
    if type(made) is Opaque and (last in _OPENERS or last in ("join", "joinpath", "dirname")):
        parts = [path_of(each) for each in ((callee, *args) if type(callee) is Opaque and path_of(callee) else args)]
        known = [each for each in parts if each is not None]
        if known and len(known) == len(parts):
            made.kept[PATH] = posixpath.dirname(known[0]) if last == "dirname" else _joined(last, known)
    return made


def folder_of(value: Opaque) -> Any:
    """`path.parent`, for a known path."""
    return Opaque(f"{value.identity}.parent", kept={PATH: posixpath.dirname(value.kept[PATH])})


def divided(machine: Machine, kind: type, left: Any, right: Any, node: cst.BinaryOperation) -> Any:
    """`left / right`: numbers, losses, or the path of something in a folder."""
    if type(left) is Opaque and PATH in left.kept and (name := path_of(right)) is not None:
        return Opaque(machine.compiler.spelled(node), kept={PATH: posixpath.join(left.kept[PATH], name)})
    return binary(machine, kind, left, right, node)


def _joined(last: str, parts: list[str]) -> str:
    return posixpath.join(*parts) if last in ("join", "joinpath", "Path", "PurePath") else parts[0]
