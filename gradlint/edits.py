"""Edits in terms of nodes: what a fix does to statements and expressions, independent of their positions."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst


@dataclass(frozen=True)
class Replace:
    """Replace an expression with `text`. Parentheses around it stay."""

    node: cst.CSTNode
    text: str


@dataclass(frozen=True)
class Enclose:
    """Write text directly before and after an expression, which keeps its text. Parentheses around it stay outside."""

    node: cst.CSTNode
    before: str
    after: str


@dataclass(frozen=True)
class Insert:
    """Insert new lines before or after a statement, with its indentation."""

    anchor: cst.CSTNode
    line: str
    after: bool = False


@dataclass(frozen=True)
class Move:
    """Move a statement, with the comments directly above it and on its lines, before or after another one."""

    statement: cst.CSTNode
    anchor: cst.CSTNode
    after: bool = False


@dataclass(frozen=True)
class Delete:
    """Remove a statement. Comments directly above it, and on its lines, stay."""

    statement: cst.CSTNode


@dataclass(frozen=True)
class Wrap:
    """Put consecutive statements under a new header line such as `if boundary:`."""

    first: cst.CSTNode
    last: cst.CSTNode
    header: str


@dataclass(frozen=True)
class Cut:
    """Remove what follows an expression, up to the end of a later one."""

    behind: cst.CSTNode
    last: cst.CSTNode


@dataclass(frozen=True)
class Unwrap:
    """Replace a `with` statement by the statements in its block."""

    statement: cst.With


@dataclass(frozen=True)
class AddImport:
    """Make an import available at module level, below the existing imports.

    It belongs to the file of the edit before it in the fix, or after it if it is the first.
    """

    line: str


Edit = Replace | Enclose | Insert | Move | Delete | Wrap | Cut | Unwrap | AddImport
