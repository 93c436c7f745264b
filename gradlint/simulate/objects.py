"""Attributes of the objects of training."""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import Role
from gradlint.model.syntax.expressions import last_name
from gradlint.simulate.averaging import output_of, unwrapped
from gradlint.simulate.contents import models_of
from gradlint.simulate.engines import accelerate
from gradlint.simulate.iteration import length
from gradlint.simulate.joined import source_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.owners import spells_model
from gradlint.simulate.reading import gradient_of
from gradlint.simulate.reductions import switch
from gradlint.simulate.things import Accelerator, Engine, Gradient, Loader, Network, Optimizer, Parameter, Schedule, Thing
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import ONE, Factor, Opaque, Tensor

_ATTRIBUTES: dict[type, frozenset[str]] = {
    Optimizer: frozenset(("param_groups", "state", "optimizer", "defaults")),
    Accelerator: frozenset(
        "sync_gradients gradient_accumulation_steps num_processes process_index is_main_process is_local_main_process device "
        "use_distributed gradient_state num_steps end_of_dataloader mixed_precision state distributed_type local_process_index "
        "scaler trackers".split()
    ),
    Parameter: frozenset(("grad", "data", "requires_grad", "shape", "device", "is_cuda", "name")),
    Gradient: frozenset(("data", "device", "shape", "is_sparse", "grad_fn", "dtype")),
    Loader: frozenset("dataset batch_size sampler batch_sampler num_workers drop_last generator name classes".split()),
    Network: frozenset("module _orig_mod config require_backward_grad_sync training device".split()),
    Schedule: frozenset(("optimizer",)),
    Engine: frozenset("module optimizer lr_scheduler local_rank global_rank device global_steps micro_steps".split()),
}


def has_attribute(value: Thing, name: str) -> bool:
    """Whether an object of training has a known attribute that is not a method."""
    known = _ATTRIBUTES.get(type(value))
    return known is not None and name in known


def told_by(machine: Machine, value: Any, name: str, node: cst.CSTNode) -> Any:
    """An attribute of a loader or a model that is computed each time: the loader's length, the model's last loss. Else None."""
    if name == "num_batches" and (
        isinstance(value, Loader) or (type(value) is Opaque and machine.words.role_of_spelling(value.last) is Role.LOADER)
    ):
        return length(machine, value)
    if (
        name.endswith("_loss")
        and any(machine.draws)
        and (
            isinstance(value, Network)
            or (type(value) is Opaque and isinstance(node, cst.Attribute) and spells_model(Opaque(last_name(node.value) or "")))
        )
    ):
        if name in value.kept:
            return value.kept[name]
        drawn, models = frozenset(machine.draws[-1:]) - {0}, models_of(value)
        output = output_of(machine, value)
        made_of = [source for source, _ in output.terms or ()] if output is not None else ()
        reduced = output is None or output.reduced
        return Tensor(drawn, ((source_of(machine.micro(drawn), node, models, made_of), ONE),), models, reduced=reduced)
    return None


def thing_attribute(machine: Machine, value: Thing, name: str, node: cst.CSTNode) -> Any:
    """Read the attribute."""
    if isinstance(value, Optimizer) and name == "param_groups":
        group = {"params": [Parameter(owner=value)], "lr": Opaque(f"{value.identity}.lr"), "initial_lr": Opaque("initial_lr")}
        value.kept[name] = [group]
        return value.kept[name]
    if isinstance(value, Optimizer) and name == "optimizer":
        return value
    if isinstance(value, Schedule):
        return value.optimizer or unknown(machine, f"{value.identity}.{name}")
    if isinstance(value, Accelerator):
        return accelerate.attribute(machine, value, name)
    if isinstance(value, Parameter):
        return gradient_of(machine, value, node) if name == "grad" else value if name == "data" else Opaque(f"parameter.{name}")
    if isinstance(value, Gradient):
        return value if name == "data" else Opaque(f"grad.{name}")
    if isinstance(value, Network):
        if name == "module":
            return unwrapped(value)
        if name == "_orig_mod":
            return value
        if name == "require_backward_grad_sync":
            return value.syncs
    if isinstance(value, Engine) and name == "optimizer" and value.optimizer is not None:
        return value.optimizer
    if name in ("data", "module"):
        return value
    made = Opaque(f"{value.identity}.{name}")
    value.kept[name] = made
    return made


def set_of_thing(machine: Machine, value: Thing, name: str, new: Any, node: cst.CSTNode) -> None:
    """Set the attribute: `thing.name = new`."""
    from gradlint.simulate.conditions import truth
    from gradlint.simulate.optimizing import clear, rescale
    from gradlint.simulate.owners import owners_of

    if isinstance(value, Parameter) and name == "grad":
        if new is None:
            clear(machine, value, node, one_by_one=value.walked != len(machine.path))
        elif isinstance(new, Gradient):
            if owners_of(new).isdisjoint(owners_of(value)):
                rescale(machine, value, Factor(doubt="the script replaces the gradients by those of other weights"), node)
            elif new.factor is not ONE:
                rescale(machine, value, new.factor, node)
        else:
            rescale(machine, value, Factor(doubt="the script replaces the gradients"), node)
        return
    if isinstance(value, Gradient) and name == "data":
        set_of_thing(
            machine, value.owner if isinstance(value.owner, Parameter) else Parameter(owner=value.owner), "grad", new, node
        )
        return
    if isinstance(value, Accelerator) and name == "gradient_accumulation_steps":
        value.steps = accelerate.named_steps(machine, new)
        return
    if isinstance(value, Accelerator) and name == "sync_gradients":
        accelerate.set_boundary(machine, value, new)
        return
    if isinstance(value, Network) and name == "require_backward_grad_sync":
        switch(value, truth(machine, new), node)
        return
    value.kept[name] = new
