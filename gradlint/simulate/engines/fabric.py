"""Lightning Fabric moves and wraps objects, but divides nothing.

Based on lightning 2.6: `Fabric.backward`, `clip_gradients`.
"""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.averaging import held_back
from gradlint.simulate.conditions import truth
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Fabric
from gradlint.simulate.values import Opaque


def method(machine: Machine, value: Fabric, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of a Fabric."""
    from gradlint.simulate.optimizing import backward, clip

    if name == "backward":
        backward(machine, args[0] if args else kwargs.get("tensor"), node, through="fabric")
        return None
    if name == "clip_gradients":
        return clip(machine, args, kwargs, node, through="fabric")
    if name == "no_backward_sync":
        flag = truth(machine, kwargs.get("enabled", args[1] if len(args) > 1 else True))
        return held_back(machine, args[0] if args else None, node, flag)
    if name in ("setup", "setup_module", "setup_dataloaders", "setup_optimizers"):
        return tuple(args) if len(args) > 1 else args[0] if args else None
    if name in ("all_reduce", "all_gather", "to_device"):
        return args[0] if args else None
    return Opaque(f"{value.identity}.{name}()")
