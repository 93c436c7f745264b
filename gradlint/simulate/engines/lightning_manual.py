"""Lightning's manual optimization: the passes of its Trainer, the result of `configure_optimizers`, and `toggle_optimizer`.

Based on lightning 2.6: `core/module.py` (`optimizers`, `toggle_optimizer`), `core/optimizer.py`
(`_init_optimizers_and_lr_schedulers`, `LightningOptimizer.toggle_model`), `loops/training_epoch_loop.py` (`batch_idx`,
`is_last_batch`), `loops/fit_loop.py` (`on_train_epoch_end`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from gradlint.simulate.callables import Function, Instance
from gradlint.simulate.iteration import batches, length_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Loader, Optimizer, Schedule
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import Opaque, Tensor
from gradlint.simulate.world import PASSES

HELD = frozenset(("optimizers", "lr_schedulers"))
"""Methods that return what the Trainer holds for a module."""
TOGGLES = frozenset(("toggle_optimizer", "untoggle_optimizer"))
"""Methods that restrict gradients to the weights of one optimizer, or lift that."""

_BUILT = "<configured>"


def trains(module: Instance | None, method: str) -> bool:
    """Whether a Trainer calls this method of an object for each micro-batch."""
    return method == "training_step" and module is not None and is_module(module)


def micro_batches(machine: Machine, module: Instance, node: cst.FunctionDef) -> Iterator[tuple[int, Tensor]]:
    """The micro-batches that a Trainer hands to `training_step` in two epochs, each with its index in its epoch."""
    data = Loader("the Trainer's data", node)
    trainer = module.names.setdefault("trainer", Opaque("self.trainer"))
    for _ in range(PASSES):
        for index, batch in enumerate(batches(machine, data, node)):
            if isinstance(trainer, Opaque):
                trainer.kept.update(is_last_batch=data.at_end, num_training_batches=length_of(machine, data))
            yield index, batch
        _call(machine, module, "on_train_epoch_end")


def is_module(value: Instance) -> bool:
    """Whether an object is a LightningModule."""
    return any(base.endswith("LightningModule") for base in value.cls.outside)


def _call(machine: Machine, module: Instance, hook: str) -> Any:
    """The result of a hook that the Trainer calls; None if the module has none."""
    from gradlint.simulate.calling import call

    found, function = module.cls.lookup(hook)
    return call(machine, function, [module], {}, function.node) if found and isinstance(function, Function) else None


def configure(machine: Machine, module: Instance) -> None:
    """Build the optimizers of a module, as a Trainer does before training."""
    if is_module(module):
        module.kept[_BUILT] = _call(machine, module, "configure_optimizers")


def held(machine: Machine, module: Any, name: str) -> Any:
    """The result of `module.optimizers()` or `module.lr_schedulers()`: a single object or a list."""
    made = getattr(module, "kept", {}).get(_BUILT)
    if name == "optimizers":
        return _one_or_all(list(_optimizers_in(made))) or unknown(machine, "self.optimizer")
    return _one_or_all(list(_schedules_in(made))) or unknown(machine, "self.scheduler")


def _one_or_all(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found


def _optimizers_in(made: Any) -> Iterator[Optimizer]:
    """The configured optimizers: one, several, `{"optimizer": ...}`, or a pair of lists."""
    if isinstance(made, Optimizer):
        yield made
    elif isinstance(made, dict):
        yield from _optimizers_in(made.get("optimizer"))
    elif isinstance(made, (list, tuple)):
        for each in made:
            yield from _optimizers_in(each)


def _schedules_in(made: Any) -> Iterator[Schedule]:
    """The configured schedules, next to their optimizers or in a separate list."""
    if isinstance(made, Schedule):
        yield made
    elif isinstance(made, dict):
        yield from _schedules_in(made.get("lr_scheduler", made.get("scheduler")))
    elif isinstance(made, (list, tuple)):
        for each in made:
            yield from _schedules_in(each)


def toggle(machine: Machine, name: str, args: list[Any]) -> None:
    """Restrict gradients to the weights of one optimizer, or allow all of them again."""
    chosen = args[0] if args and name == "toggle_optimizer" else None
    machine.gradients.toggled = chosen if isinstance(chosen, Optimizer) else None
