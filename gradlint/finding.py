"""What a rule yields: places as nodes of the model, and a repair as edits on nodes."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gradlint.diagnostic import Applicability
from gradlint.edits import Edit


@dataclass(frozen=True)
class Fix:
    """A repair in terms of nodes; all edits are applied, or none."""

    message: str
    edits: tuple[Edit, ...]
    applicability: Applicability = Applicability.SAFE


@dataclass(frozen=True)
class Finding:
    """Something wrong at a node; it stays in the worker, where the nodes are."""

    at: cst.CSTNode
    message: str
    related: tuple[tuple[cst.CSTNode, str], ...] = ()
    fix: Fix | None = None
    note: str | None = None
