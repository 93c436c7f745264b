"""Functions that PyTorch calls: hooks on parameters, and on an optimizer's step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Gradient, Optimizer, Parameter
from gradlint.simulate.values import ONE, Factor

COMM_HOOK = "register_comm_hook"
OF_GRADIENTS = frozenset(("register_hook", COMM_HOOK))
OF_PARAMETERS = frozenset(("register_post_accumulate_grad_hook", IN_BACKWARD := "an optimizer in the backward pass"))
OF_STEPS = frozenset(("register_step_pre_hook", "register_step_post_hook"))
REGISTER = OF_GRADIENTS | OF_PARAMETERS | OF_STEPS


@dataclass(frozen=True, eq=False)
class Hook:
    """A registered function, the object it was registered on, and the call that registered it."""

    name: str
    owner: Any
    function: Any
    node: cst.CSTNode


def register(machine: Machine, owner: Any, name: str, args: list[Any], node: cst.CSTNode) -> None:
    """Record a hook."""
    machine.hooks.append(Hook(name, owner, args[-1] if args else None, node))


def factor_of_hooks(machine: Machine) -> Factor:
    """The factor that gradient hooks apply to the gradients of a backward pass, before they are accumulated."""
    factor = ONE
    for hook in machine.hooks:
        if hook.name in OF_GRADIENTS:
            factor = factor.times(_factor(machine, hook))
    return factor


def _factor(machine: Machine, hook: Hook) -> Factor:
    from gradlint.simulate.calling import call

    if hook.name == COMM_HOOK:
        return Factor(doubt="a communication hook may change the gradients")
    given = Gradient(owner=hook.owner)
    found = call(machine, hook.function, [given], {}, hook.node)
    if found is None:
        return ONE
    return found.factor if isinstance(found, Gradient) else Factor(doubt="a hook changes the gradients")


def after_backward(machine: Machine) -> None:
    """Call the hooks that run once a parameter's gradient is accumulated, or step the optimizer registered there."""
    from gradlint.simulate.calling import call
    from gradlint.simulate.optimizing import clear, step

    for hook in machine.hooks:
        if hook.name not in OF_PARAMETERS:
            continue
        if isinstance(hook.function, Optimizer):
            with machine.within(hook.node):
                step(machine, hook.function, hook.node)
                clear(machine, hook.function, hook.node)
            continue
        given = hook.owner if isinstance(hook.owner, Parameter) else Parameter(owner=hook.owner)
        call(machine, hook.function, [given], {}, hook.node)


def around_step(machine: Machine, optimizer: Optimizer, name: str) -> None:
    """Call the hooks that are registered on an optimizer's step."""
    from gradlint.simulate.calling import call

    for hook in machine.hooks:
        if hook.name == name and hook.owner is optimizer:
            call(machine, hook.function, [optimizer, (), {}], {}, hook.node)
