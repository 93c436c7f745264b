"""Whose weights an object holds: models, parts of them, lists of parameters, and the optimizers that step them."""

from __future__ import annotations

import re
from typing import Any

from gradlint.simulate.callables import Instance
from gradlint.simulate.contents import flattened, models_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import (
    Gradient,
    Network,
    Optimizer,
    Parameter,
)
from gradlint.simulate.values import Opaque
from gradlint.simulate.world import spells_teacher

_MODEL = re.compile(r"(model|net|(^|_)(network|module))$", re.I)


def layers_of(owner: Any) -> frozenset[str]:
    """The models that an object is made of."""
    values = owner.names.values() if isinstance(owner, Instance) else getattr(owner, "kept", {}).values()
    return frozenset().union(*(models_of(each) for each in values if type(each) is Opaque))


def is_part(owner: Any) -> bool:
    """Whether something is a layer of a model, not the whole model."""
    inner = owner
    while isinstance(inner, (Parameter, Gradient)):
        inner = inner.owner
    if type(inner) is not Opaque:
        return False
    whole, _, last = inner.identity.rpartition("[" if inner.identity.endswith("]") else ".")
    if last in ("module", "_orig_mod", "model") or not whole:
        return False
    return whole.endswith(")") or spells_model(Opaque(whole))


def is_teacher(machine: Machine, owner: Any) -> bool:
    """Whether something has the name of a model that others learn from, and no known optimizer steps it."""
    inner = owner
    while isinstance(inner, (Parameter, Gradient)):
        inner = inner.owner
    known = any(each.models & models_of(inner) for each in machine.gradients.optimizers)
    return type(inner) is Opaque and spells_teacher(inner.last) and not known


def is_layer(machine: Machine, owner: Any) -> bool:
    """Whether something is one of several layers of a model of the text that an optimizer got as a whole."""
    inner = owner
    while isinstance(inner, (Parameter, Gradient)):
        inner = inner.owner
    whole = (each for optimizer in machine.gradients.optimizers for each in optimizer.weights if isinstance(each, Instance))
    layers = ([part for part in each.names.values() if type(part) is Opaque and part.models] for each in whole)
    return any(len(parts) > 1 and any(part is inner for part in parts) for parts in layers)


def is_stepped(machine: Machine, model: Any) -> bool:
    """Whether an optimizer got the weights of an object of the text."""
    return any(each is model for optimizer in machine.gradients.optimizers for each in optimizer.weights)


def owners_of(owner: Any) -> frozenset[str]:
    """The models whose weights something is, or holds."""
    found: frozenset[str] = frozenset()
    for each in flattened([owner]):
        inner = each.owner if isinstance(each, (Parameter, Gradient)) else each
        if isinstance(inner, Optimizer):
            found |= inner.models or frozenset((f"optimizer {inner.number}",))
        else:
            found |= _with_parts(inner)
    return found


def _with_parts(model: Any, depth: int = 3) -> frozenset[str]:
    """The models that something is, including the parts assigned to it: `net.head = nn.Linear(...)`."""
    parts = getattr(model, "kept", {}).values() if depth and isinstance(model, (Opaque, Network)) else ()
    held = (_with_parts(each, depth - 1) for each in parts if isinstance(each, (Opaque, Network)))
    return models_of(model).union(*held)


def optimizers_of(machine: Machine, owner: Any) -> list[Optimizer]:
    """The optimizers that hold some gradients."""
    for each in flattened([owner]):
        inner = each.owner if isinstance(each, (Parameter, Gradient)) else each
        if isinstance(inner, Optimizer):
            return [inner]
    return machine.gradients.of(owners_of(owner))


def spells_model(value: Any) -> bool:
    """Whether something unknown has the name of a model: `unet`, `net_g_network`, `base_model`."""
    return isinstance(value, Opaque) and _MODEL.search(value.last) is not None
