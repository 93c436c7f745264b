"""Unknown objects, judged by their names: the last resort, in one place."""

from __future__ import annotations

import re
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import Role
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import OUT_OF_SIGHT, Accelerator, Average, Fabric, Optimizer, Scaler, Schedule
from gradlint.simulate.values import DRIFT, NORM, OF_WEIGHTS, TABLE, UNNAMED, Opaque, Tensor

_SETTINGS = frozenset(
    "args arg opt opts options option config cfg conf flags flag hparams hparam params param hps hp kwargs settings train training "
    "train_args training_args script_args model_args FLAGS CFG Config".split()
)
"""Names of settings. They may look like optimizers, and everything inside them is a setting."""
_BUILT_ONCE = (Role.OPTIMIZER, Role.SCHEDULER, Role.SCALER)
_ASKS = re.compile(
    r"^(use|do|no|is|with|has|enable|disable|only|skip|save|load|log|resume|num|n|update|"
    r"build|configure|create|get|init|make|setup)_|_in_|"
    r"_(type|level|name|path|file|fn|cls|class|kwargs|args|dir|config|cfg|exceeded|reached|done|limit|steps?|count|idx|index|interval|freq|"
    r"every|enabled|flag)$"
)


def unknown(machine: Machine, identity: str, *, default: Any = None, has_default: bool = False, models: Any = frozenset()) -> Any:
    """The object or the setting that an unknown name refers to; the same for the same name during a run."""
    known = machine.things.get(identity)
    if known is None:
        known = _made(machine, identity, default, has_default, models)
        machine.things[identity] = known
    return known


def _made(machine: Machine, identity: str, default: Any, has_default: bool, models: frozenset[str]) -> Any:
    optional = has_default and default is None
    if not has_default or default is None:
        made = thing_of(machine, identity, models)
        if made is not None:
            made.optional = optional
            return made
    return Opaque(identity, models or frozenset((identity,)), default, has_default)


def _in_statement(machine: Machine) -> bool:
    """Whether the innermost loop is a statement. A comprehension makes several objects, none of which is the one named."""
    return bool(machine.loops) and type(machine.loops[-1]) in (cst.For, cst.While)


SEVERAL_MODELS = re.compile(r"(^|_)(models|nets|networks)$")
"""Names for several models, which one model represents, as for optimizers, unless each is read under its own name."""


def models_in(value: Opaque, entry: str) -> frozenset[str]:
    """The models that an entry of something unknown belongs to: its own if the whole is named like several models."""
    return frozenset((f"{value.identity}{entry}",)) if SEVERAL_MODELS.search(value.last) else value.models


def adopt(machine: Machine, name: str, value: Any) -> Any:
    """The object of training that an unknown value becomes when it is assigned to a telling name."""
    if type(value) is not Tensor and type(value) is not Opaque:
        return value
    if type(value) is Tensor and not value.draws and value.models.isdisjoint(NORM | DRIFT) and "loader" in name.lower():
        return Opaque(name)  # a value without data and with such a name is a loader
    if type(value) is Tensor and _in_statement(machine) and name.lower().endswith(("loader", "_dl")):
        return value.kept.setdefault("<loader>", Opaque(name))  # one of several, as each fold has its loader
    if type(value) is Tensor and not machine.in_loop and machine.words.role_of_spelling(name) in _BUILT_ONCE:
        known = value.kept.get("<thing>") or thing_of(machine, name)  # a value from before any loop belongs to no micro-batch
        if known is not None:
            value.kept["<thing>"] = known
        return known or value
    if type(value) is Opaque and value.kept.pop(UNNAMED, False):
        value.identity = name
    if (
        type(value) is not Opaque
        or value.has_default
        or TABLE in value.kept
        or (name in _SETTINGS and OF_WEIGHTS not in value.kept)
    ):
        return value
    if value.identity.endswith("()") and machine.words.role_of_spelling(name) is Role.SCHEDULER:
        return value  # a schedule built without an optimizer sets no learning rate
    wrapped = value.kept.get("<optimizer>")
    if wrapped is not None and machine.words.role_of_spelling(name) is Role.OPTIMIZER:
        return wrapped
    known = value.kept.get("<thing>")
    if known is None:
        known = thing_of(machine, name, value.models, of_weights=OF_WEIGHTS in value.kept)
        if known is None:
            return value
        if isinstance(known, Schedule) and value.identity.endswith(")"):
            known.built_by = OUT_OF_SIGHT
        known.kept.update(value.kept)
        value.kept["<thing>"] = known
    return known


def thing_of(machine: Machine, identity: str, models: frozenset[str] = frozenset(), *, of_weights: bool = False) -> Any:
    """The object of training that a name suggests; None for everything else. `of_weights` says that it was given parameters."""
    parent, _, last = identity.rpartition(".")
    last = last.split("[")[-1].strip("]'\"")
    if (last in _SETTINGS and not of_weights) or _ASKS.search(last) or parent.rpartition(".")[2] in _SETTINGS:
        return None
    role = machine.words.role_of_spelling(last)
    if role is Role.OPTIMIZER:
        return machine.gradients.add(Optimizer(identity, models=frozenset()))
    if role is Role.SCHEDULER:
        return Schedule(identity)
    if role is Role.SCALER:
        return Scaler(identity, enabled=Opaque(f"{identity}.enabled", default=True, has_default=True))
    if role is Role.EMA:
        return Average(identity)
    if role is Role.ACCELERATOR:
        return Accelerator(identity, steps=Opaque(f"{identity}.gradient_accumulation_steps"))
    if role is Role.FABRIC:
        return Fabric(identity)
    return None
