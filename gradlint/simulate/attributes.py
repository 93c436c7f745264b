"""Reads and sets attributes of values."""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.callables import Bound, ClassValue, External, Function, Instance, ModuleValue
from gradlint.simulate.contents import is_data
from gradlint.simulate.imports import attribute_of_module, module_frame
from gradlint.simulate.joined import joined
from gradlint.simulate.machine import Machine
from gradlint.simulate.objects import has_attribute, set_of_thing, thing_attribute, told_by
from gradlint.simulate.paths import folder_of
from gradlint.simulate.reading import gradient_of
from gradlint.simulate.stated import entry
from gradlint.simulate.taken import along
from gradlint.simulate.things import Optimizer, Parameter, Scaler, Thing
from gradlint.simulate.trace import What
from gradlint.simulate.unknown import models_in, unknown
from gradlint.simulate.values import NOTHING, PATH, SIZES, TABLE, Answer, Factor, Opaque, Source, Tensor
from gradlint.simulate.world import known_package, spells_setting

_OF_SHAPE = frozenset(("shape", "device", "dtype", "ndim", "requires_grad", "is_cuda", "names", "itemsize", "nbytes"))

TORCH_NOW = "2.9.1"
"""The PyTorch version that a script sees: branches for old versions are not taken. As a string, it sorts after older ones."""


def get_attribute(machine: Machine, value: Any, name: str, node: cst.CSTNode) -> Any:
    """`value.name`."""
    if isinstance(value, Instance):
        return _of_instance(machine, value, name, node)
    if is_data(value):
        return part_of(machine, value, name, node)
    if isinstance(value, External):
        path = f"{value.path}.{name}"
        if path == "torch.__version__":
            return TORCH_NOW
        sets = not known_package(path) and (spells_setting(path) or machine.counts_steps(name))
        return unknown(machine, f"{value.last}.{name}") if sets else External(path)
    if isinstance(value, ModuleValue):
        return attribute_of_module(machine, value, name)
    told = told_by(machine, value, name, node)
    if told is not None:
        return told
    if type(value) is Optimizer and name in ("optimizer", "_optimizer"):
        return value  # what it wraps, such as an optimizer with a schedule
    if type(value) is Opaque:
        if name == "grad":
            return gradient_of(machine, value, node)
        if name in value.kept:
            return value.kept[name]
        stated = entry(machine, value, name, f".{name}") if TABLE in value.kept else None
        if stated is not None:
            return stated
        if name == "parent" and PATH in value.kept:
            return folder_of(value)
        if name == "no_sync":  # a method that may be called later, or not at all
            return Bound(value, name)
        models = NOTHING if value.identity in ("args", "cfg", "config") else models_in(value, f".{name}")
        return unknown(machine, f"{value.identity}.{name}", models=models)
    if isinstance(value, ClassValue):
        found, kept = value.lookup(name)
        if found:
            return kept if not (isinstance(kept, Function) and kept.is_class) else Bound(value, kept)
        return unknown(machine, f"{value.name}.{name}")
    if isinstance(value, Answer) and name == "data":
        return value
    if isinstance(value, Thing):
        if name in value.kept:
            return value.kept[name]
        if has_attribute(value, name):
            return thing_attribute(machine, value, name, node)
        if isinstance(value, Scaler) and name.startswith("_"):
            # Code that reaches into its state may do what its methods do.
            machine.note(What.CALL, node, handed=frozenset(("scaler",)), text=f"scaler.{name}")
        return Bound(value, name)
    return Bound(value, name)


def _of_instance(machine: Machine, value: Instance, name: str, node: cst.CSTNode) -> Any:
    if name in value.names:
        return value.names[name]
    if name == "__class__":
        return value.cls
    if name == "__dict__":
        return value.names
    found, kept = value.cls.lookup(name)
    if found:
        if isinstance(kept, Function):
            if kept.is_property:
                from gradlint.simulate.calling import call

                return call(machine, kept, [value], {}, node)
            return kept if kept.is_static else Bound(value.cls if kept.is_class else value, kept)
        return kept
    if _IS_METHOD & {name} and value.cls.outside:
        return Bound(value, name)
    made = unknown(machine, f"{value.identity or value.cls.name}.{name}")
    value.names[name] = made
    return made


_IS_METHOD = frozenset(
    (
        "parameters named_parameters modules children train eval to cuda cpu float half double zero_grad state_dict load_state_dict "
        "requires_grad_ apply manual_backward optimizers lr_schedulers clip_gradients register_buffer toggle_optimizer "
        "untoggle_optimizer"
    ).split()
)


def part_of(machine: Machine, value: Tensor, name: Any, node: cst.CSTNode) -> Any:
    """An attribute or item of data. For an unscaled loss it is a new term, otherwise it is a part of the same one."""
    try:
        kept = value.kept.get(name)
    except TypeError:
        name, kept = repr(name)[:80], None
    if kept is not None:
        return kept
    if name == "requires_grad" and value.terms is not None:
        return not value.detached
    if name in _OF_SHAPE:
        made = along(Tensor(value.draws, None, NOTHING, text=name), None, value)
    elif name == "grad":
        gradient = Source(machine.micro(value.draws), node, NOTHING)
        made = Tensor(value.draws, ((gradient, Factor(doubt="the loss contains a gradient")),))
    elif value.terms is None or value.detached:
        size = value.text if value.text in SIZES else ""
        made = along(
            Tensor(value.draws, value.terms, value.models, value.scaler, value.detached, value.reduced, size), name, value
        )
    elif any(factor.value != 1.0 or factor.doubt for _, factor in value.terms) or name in ("data", "T", "mT"):
        made = Tensor(value.draws, value.terms, value.models, value.scaler, name == "data", value.reduced)
    else:
        computed = value.draws <= machine.pieces.keys()  # what is in a piece of a computed value was computed with it
        own = max((source.micro for source, _ in value.terms or ()), default=None) if computed else None
        made = joined(machine, node, (value,), micro=own)
    value.kept[name] = made
    return made


def set_attribute(machine: Machine, value: Any, name: str, new: Any, node: cst.CSTNode) -> None:
    """`value.name = new`."""
    if isinstance(new, Bound) and new.receiver is value and new.method == name:
        return  # the attribute is set to the method that it already is
    if isinstance(value, (Instance, ClassValue)):
        value.names[name] = new
    elif isinstance(value, ModuleValue) and value.path:
        module_frame(machine, value.path).names[name] = new
    elif isinstance(value, Thing):
        set_of_thing(machine, value, name, new, node)
    elif type(value) is Opaque and name == "grad":
        set_of_thing(machine, Parameter(owner=value), name, new, node)
    elif isinstance(value, (Opaque, Tensor)):
        value.kept[name] = new
