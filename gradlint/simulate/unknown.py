"""What is not in sight, by its name: the last resort, in one place."""

from __future__ import annotations

from typing import Any

from gradlint.model.vocabulary import Role
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Accelerator, Average, Fabric, Loader, Optimizer, Scaler, Schedule
from gradlint.simulate.values import Opaque

_NO_THINGS = frozenset(("args", "opt", "opts", "options", "config", "cfg", "conf", "flags", "hparams", "params"))
"""Names of settings, which are spelled like optimizers and more."""


def unknown(machine: Machine, identity: str, *, default: Any = None, has_default: bool = False, models: Any = frozenset()) -> Any:
    """The object, or the setting, that a name out of sight stands for; the same for the same name during a run."""
    known = machine.things.get(identity)
    if known is None:
        known = _made(machine, identity, default, has_default, models)
        machine.things[identity] = known
    return known


def _made(machine: Machine, identity: str, default: Any, has_default: bool, models: frozenset[str]) -> Any:
    last = identity.rsplit(".", 1)[-1].split("[")[-1].strip("]'\"")
    optional = has_default and default is None
    if not has_default or default is None:
        made = thing_of(machine, machine.words.role_of_spelling(last), identity) if last not in _NO_THINGS else None
        if made is not None:
            made.optional = optional
            return made
    return Opaque(identity, models or frozenset((identity,)), default, has_default)


def thing_of(machine: Machine, role: Role | None, identity: str) -> Any:
    """The object of training of a role; None for roles that have no object of their own."""
    if role is Role.OPTIMIZER:
        return machine.gradients.add(Optimizer(identity))
    if role is Role.SCHEDULER:
        return Schedule(identity)
    if role is Role.SCALER:
        return Scaler(identity, enabled=Opaque(f"{identity}.enabled", default=True, has_default=True))
    if role is Role.EMA:
        return Average(identity)
    if role is Role.LOADER:
        return Loader(identity, finite=True)
    if role is Role.ENDLESS:
        return Loader(identity, finite=False)
    if role is Role.ACCELERATOR:
        return Accelerator(identity, steps=Opaque(f"{identity}.gradient_accumulation_steps"))
    if role is Role.FABRIC:
        return Fabric(identity)
    return None
