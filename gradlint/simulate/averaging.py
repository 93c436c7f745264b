"""Forward passes of models whose gradients are averaged over processes, and the contexts that leave the average out."""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.contents import models_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.owners import spells_model
from gradlint.simulate.things import Context, Network
from gradlint.simulate.values import Tensor


def held_back(machine: Machine, model: Any, node: cst.CSTNode, flag: Any = True) -> Context:
    """The context in which nothing is averaged for a model; where no wrapper of the model is in sight, there is one out of sight."""
    if not (isinstance(model, Network) and model.parallel) and models_of(model):
        model = machine.reductions.presume(models_of(model))
    return Context("no_sync", node, kind="no_sync", subject=model, flag=flag)


def is_trained(machine: Machine, callee: Any) -> bool:
    """Whether an optimizer steps weights of what is called."""
    models = models_of(callee)
    return bool(models) and any(models & optimizer.models for optimizer in machine.gradients.optimizers)


def wrapper_of(machine: Machine, callee: Any) -> Network | None:
    """What wraps a model out of sight: it was asked for its `no_sync`, or in this world a caller wraps what is trained."""
    models = models_of(callee)
    if machine.world.wrapper is not None and models and _may_be_wrapped(machine, callee):
        return machine.reductions.presume(models, machine.world.wrapper)
    return machine.reductions.presumed(models)


def _may_be_wrapped(machine: Machine, callee: Any) -> bool:
    """Whether something is the model that a caller wraps: its weights are stepped, or it is called so and nobody's are known."""
    if is_trained(machine, callee):
        return True
    known = any(optimizer.models for optimizer in machine.gradients.optimizers)
    return not known and spells_model(callee)


def _is_of_others(machine: Machine, network: Network) -> bool:
    """Whether the optimizers step the weights of other models, and of one that is wrapped in sight none: it teaches."""
    if network is machine.reductions.presumed(network.models):
        return False
    stepped = [optimizer.models for optimizer in machine.gradients.optimizers if optimizer.models]
    return bool(network.models and stepped) and all(models.isdisjoint(network.models) for models in stepped)


def forwarded(machine: Machine, network: Network, made: Tensor, node: cst.CSTNode) -> None:
    """Note a forward pass, or a call of what is given the model and may make one."""
    made.reduced = network.syncs
    if not machine.strange and not _is_of_others(machine, network):  # what is not in sight may switch the average off
        machine.reductions.passed(network, node)
