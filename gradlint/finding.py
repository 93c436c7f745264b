"""What a rule yields: places as nodes of the model, and fixes as edits of nodes."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gradlint.diagnostic import Applicability
from gradlint.edits import Edit
from gradlint.simulate.promise import Promise


@dataclass(frozen=True)
class Fix:
    """A fix in terms of nodes. Its edits are applied all together or not at all. `promise` overrides that of its rule."""

    message: str
    edits: tuple[Edit, ...]
    applicability: Applicability = Applicability.SAFE
    promise: Promise | None = None


@dataclass(frozen=True)
class Note:
    """A remark on the fix of a finding: why there is none, or what it assumes. `at` is the code that is the reason."""

    text: str
    at: cst.CSTNode | None = None


def no_fix(reason: str, at: cst.CSTNode | None = None) -> Note:
    """Say why a finding has no fix, and which code is the reason."""
    return Note(f"gradlint offers no fix: {reason}", at)


def not_safe(reason: str, at: cst.CSTNode | None = None) -> Note:
    """Say why a fix is not safe, and which code may contradict what it assumes."""
    return Note(f"the fix is not safe: {reason}", at)


@dataclass(frozen=True)
class Finding:
    """Something wrong at a node. It stays in the worker process, because its nodes do.

    `message` is the header, of at most 90 characters. `reason` says why that harms, as a clause that can follow the header after
    a colon.
    """

    at: cst.CSTNode
    message: str
    reason: str = ""
    related: tuple[tuple[cst.CSTNode, str], ...] = ()
    fix: Fix | None = None
    note: Note | None = None
