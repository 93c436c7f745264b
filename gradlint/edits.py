"""Edits in terms of nodes: what a fix does to statements and expressions, before anybody knows their positions."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst


@dataclass(frozen=True)
class Replace:
    """Write `text` in place of an expression; parentheses around it stay."""

    node: cst.CSTNode
    text: str


@dataclass(frozen=True)
class Enclose:
    """Write text directly before and behind an expression, which keeps its own text; parentheses around it stay outside."""

    node: cst.CSTNode
    before: str
    after: str


@dataclass(frozen=True)
class Insert:
    """Write new lines beside a statement, indented as it is."""

    anchor: cst.CSTNode
    line: str
    after: bool = False


@dataclass(frozen=True)
class Move:
    """Take a statement, with the comments directly above it and on its lines, beside another one."""

    statement: cst.CSTNode
    anchor: cst.CSTNode
    after: bool = False


@dataclass(frozen=True)
class Delete:
    """Remove a statement; comments directly above it, and those on its lines, stay."""

    statement: cst.CSTNode


@dataclass(frozen=True)
class Wrap:
    """Put consecutive statements under a new header line such as `if boundary:`."""

    first: cst.CSTNode
    last: cst.CSTNode
    header: str


@dataclass(frozen=True)
class Cut:
    """Remove what stands behind an expression, up to the end of a later one."""

    behind: cst.CSTNode
    last: cst.CSTNode


@dataclass(frozen=True)
class Unwrap:
    """Take the statements of a block out of the statement that holds them, whose header goes."""

    statement: cst.With


@dataclass(frozen=True)
class AddImport:
    """Make an import available at module level, below the imports that are there."""

    line: str


Edit = Replace | Enclose | Insert | Move | Delete | Wrap | Cut | Unwrap | AddImport
