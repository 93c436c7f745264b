"""DeepSpeed: the engine divides the loss, counts micro-batches in `step()`, and updates on every N-th.

Based on deepspeed 0.16: `DeepSpeedEngine.backward`, `step`, `is_gradient_accumulation_boundary`, `initialize`.
"""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.arithmetic import factor_of
from gradlint.simulate.assumptions import STEPS_OUT_OF_SIGHT
from gradlint.simulate.contents import flattened
from gradlint.simulate.engines.accelerate import named_steps
from gradlint.simulate.engines.configured import configured
from gradlint.simulate.joined import joined
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Engine, Optimizer, Schedule
from gradlint.simulate.values import ONE, Opaque, number


def initialize(machine: Machine, kwargs: dict[str, Any], node: cst.CSTNode) -> tuple[Any, ...]:
    """`deepspeed.initialize(...)`: engine, optimizer, loader and schedule."""
    steps, told = configured(machine, kwargs)
    engine = Engine("engine", node, steps=named_steps(machine, steps), told=told)
    given = kwargs.get("optimizer")
    engine.optimizer = given if isinstance(given, Optimizer) else machine.gradients.add(Optimizer("engine", node))
    schedule = kwargs.get("lr_scheduler")
    engine.schedule = schedule if isinstance(schedule, Schedule) else None
    return engine, engine.optimizer, Opaque("a loader"), engine.schedule


def method(machine: Machine, engine: Engine, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of an engine."""
    from gradlint.simulate.optimizing import advance, backward, step

    if engine.optimizer is None:
        engine.optimizer = machine.gradients.add(Optimizer(engine.identity))
    if engine.steps is None:
        engine.steps = Opaque(f"{engine.identity}{STEPS_OUT_OF_SIGHT}")
    if name == "backward":
        told = kwargs.get("scale_wrt_gas", True) is False
        divisor = ONE if told else factor_of(machine, cst.Divide, engine.steps, node)
        backward(machine, args[0] if args else kwargs.get("loss"), node, divisor, through="deepspeed")
        return None
    if name == "step":
        engine.micro += 1
        _count_call(machine, engine, node)
        if engine.micro % max(int(number(machine.number_of(engine.steps)) or 1), 1) == 0:
            step(machine, engine.optimizer, node, through="deepspeed")
            machine.gradients.clear([engine.optimizer])
            if engine.schedule is not None:
                advance(machine, engine.schedule, [], node)
        return None
    if name == "set_gradient_accumulation_boundary":
        engine.told = True
        return None
    if name == "gradient_accumulation_steps":
        return engine.steps
    if name == "is_gradient_accumulation_boundary":
        return (engine.micro + 1) % max(int(number(machine.number_of(engine.steps)) or 1), 1) == 0
    if name in ("train", "eval", "to"):
        return engine
    if name in ("zero_grad",):
        return None
    return Opaque(f"{engine.identity}.{name}()", models=frozenset((engine.identity,)))


def _count_call(machine: Machine, engine: Engine, node: cst.CSTNode) -> None:
    """Record how many micro-batches ran since the last call, which the engine counts as one."""
    trained = len(machine.trained)
    if not engine.told and number(machine.number_of(engine.steps)) == machine.world.n:
        machine.calls.setdefault(node, []).append(trained - engine.trained)
    engine.trained = trained


def forward(machine: Machine, engine: Engine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A forward pass."""
    return joined(machine, node, flattened([*args, *kwargs.values()]), frozenset((engine.identity,)))
