"""The optimizers that a file builds, with their weight decay."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst


@dataclass(frozen=True, eq=False)
class Construction:
    """A call of a known constructor, with the arguments that rules may depend on."""

    call: cst.Call
    qualified: str
    decays: tuple[tuple[cst.CSTNode, bool | None], ...] = ()
    decoupled: bool | None = None
