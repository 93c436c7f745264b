"""Lightning's automatic optimization: the Trainer divides and backpropagates the loss that `training_step` returns.

Based on lightning 2.6: `loops/optimization/automatic.py`, `ClosureResult.from_training_step_output`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import keywords, last_name
from gradlint.simulate.arithmetic import factor_of
from gradlint.simulate.callables import Frame
from gradlint.simulate.calling import call_unseen
from gradlint.simulate.contents import is_data
from gradlint.simulate.engines.accelerate import named_steps
from gradlint.simulate.engines.lightning_manual import is_module
from gradlint.simulate.expressions import expression
from gradlint.simulate.machine import Machine
from gradlint.simulate.roots import Definition
from gradlint.simulate.starting import method_of
from gradlint.simulate.values import Tensor

AUTOMATIC = "lightning, automatically"
"""The `through` of the backward pass of a loss that `training_step` returns."""

_STEPS = "accumulate_grad_batches"


def trainer_among(nodes: Iterable[cst.CSTNode]) -> cst.Call | None:
    """The call that makes a Trainer with accumulation."""
    calls = (each for each in nodes if type(each) is cst.Call)
    return next((each for each in calls if (last_name(each.func) or "").endswith("Trainer") and _STEPS in keywords(each)), None)


def steps_of(found: Sequence[Definition]) -> Iterator[Definition]:
    """The methods whose loss a Trainer optimizes, in classes that may be LightningModules."""
    return (each for each in found if each.name == "training_step" and each.owner is not None and each.outer is None)


def automatic(definition: Definition, trainer: cst.Call) -> Callable[[Machine, Frame], None]:
    """Call `training_step` for one micro-batch after another, like a Trainer."""

    def run(machine: Machine, frame: Frame) -> None:
        function, instance = method_of(definition, machine, frame)
        if function is None or instance is None or not is_module(instance):
            return
        if instance.names.get("automatic_optimization") is False:
            return
        steps = named_steps(machine, expression(keywords(trainer)[_STEPS])(frame))
        machine.loops.append(definition.node)
        machine.draws.append(0)
        for _ in range(machine.world.n + 1):
            machine.begin(None)
            own, *given = function.parameters.positional
            known = {own: instance, **{name: Tensor(frozenset((machine.draw(),))) for name in given[:1]}}
            _optimize(machine, call_unseen(machine, function, known, definition.node), steps, trainer)

    return run


def _optimize(machine: Machine, returned: Any, steps: Any, trainer: cst.Call) -> None:
    """Divide and backpropagate the returned loss."""
    from gradlint.simulate.optimizing import backward

    loss = returned.get("loss") if isinstance(returned, dict) else returned
    if is_data(loss) and loss.terms is not None:
        backward(machine, loss, trainer, factor_of(machine, cst.Divide, steps, trainer), through=AUTOMATIC)
