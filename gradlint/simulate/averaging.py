"""Forward passes of models whose gradients are averaged over processes, and the contexts that skip the average."""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.contents import models_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.owners import spells_model
from gradlint.simulate.things import Context, Network
from gradlint.simulate.values import Tensor


def held_back(machine: Machine, model: Any, node: cst.CSTNode, flag: Any = True) -> Context:
    """The context in which no gradients are averaged for a model. If we see no wrapper, there must be one in unseen code."""
    if not (isinstance(model, Network) and model.parallel) and models_of(model):
        model = machine.reductions.presume(models_of(model))
    return Context("no_sync", node, kind="no_sync", subject=model, flag=flag)


def is_trained(machine: Machine, callee: Any) -> bool:
    """Whether an optimizer steps the weights of the callee."""
    models = models_of(callee)
    return bool(models) and any(models & optimizer.models for optimizer in machine.gradients.optimizers)


def wrapper_of(machine: Machine, callee: Any) -> Network | None:
    """The unseen wrapper of a model: its `no_sync` was called, or in this world a caller wraps the trained model."""
    models = models_of(callee)
    if machine.world.wrapper is not None and models and _may_be_wrapped(machine, callee):
        return machine.reductions.presume(models, machine.world.wrapper)
    return machine.reductions.presumed(models)


def _may_be_wrapped(machine: Machine, callee: Any) -> bool:
    """Whether a caller may wrap this model: an optimizer steps it, or it has a model's name and no stepped model is known."""
    if is_trained(machine, callee):
        return True
    known = any(optimizer.models for optimizer in machine.gradients.optimizers)
    return not known and spells_model(callee)


def _is_of_others(machine: Machine, network: Network) -> bool:
    """Whether the optimizers step other models than this one, which the text wraps: it may be a teacher."""
    if network is machine.reductions.presumed(network.models):
        return False
    stepped = [optimizer.models for optimizer in machine.gradients.optimizers if optimizer.models]
    return bool(network.models and stepped) and all(models.isdisjoint(network.models) for models in stepped)


def forwarded(machine: Machine, network: Network, made: Tensor, node: cst.CSTNode) -> None:
    """Record a forward pass, or a call that is given the model and may run one."""
    made.reduced = network.syncs
    network.output = made
    if not machine.strange and not _is_of_others(machine, network):  # unseen code may switch the average off
        machine.reductions.passed(network, node)


def output_of(machine: Machine, value: Any) -> Tensor | None:
    """The result of the last forward pass of a model, if it ran through a wrapper for several processes."""
    network = value if isinstance(value, Network) else machine.reductions.presumed(models_of(value))
    if network is None:
        return None
    return network.output or (network.within.output if network.within is not None else None)


def unwrapped(value: Network) -> Network:
    """The model in a wrapper. DistributedDataParallel only averages gradients if its own forward pass runs."""
    if value.reduces and "module" not in value.kept:
        value.kept["module"] = Network(value.identity, value.node, models=value.models, prepared=value.prepared, within=value)
    return value.kept["module"] if value.reduces else value
