"""What a rule yields: places as nodes of the model, and a repair as edits on nodes."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gradlint.diagnostic import Applicability
from gradlint.edits import Edit
from gradlint.simulate.promise import Promise


@dataclass(frozen=True)
class Fix:
    """A repair in terms of nodes; all edits are applied, or none. `promise` is what it changes, where that is not its rule's."""

    message: str
    edits: tuple[Edit, ...]
    applicability: Applicability = Applicability.SAFE
    promise: Promise | None = None


@dataclass(frozen=True)
class Finding:
    """Something wrong at a node; it stays in the worker, where the nodes are.

    `message` is its header, of at most 90 characters; `reason` says why that harms, as a clause that can follow it behind a colon.
    """

    at: cst.CSTNode
    message: str
    reason: str = ""
    related: tuple[tuple[cst.CSTNode, str], ...] = ()
    fix: Fix | None = None
    note: str | None = None
