"""Lightning's manual optimization: the result of `configure_optimizers`, and the effect of `toggle_optimizer`.

Based on lightning 2.6: `core/module.py` (`optimizers`, `toggle_optimizer`), `core/optimizer.py`
(`_init_optimizers_and_lr_schedulers`, `LightningOptimizer.toggle_model`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradlint.simulate.callables import Function, Instance
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Optimizer, Schedule
from gradlint.simulate.unknown import unknown

HELD = frozenset(("optimizers", "lr_schedulers"))
"""Methods that return what the Trainer holds for a module."""
TOGGLES = frozenset(("toggle_optimizer", "untoggle_optimizer"))
"""Methods that restrict gradients to the weights of one optimizer, or lift that."""

_BUILT = "<configured>"


def configure(machine: Machine, module: Instance) -> None:
    """Build the optimizers of a module, as a Trainer does before training."""
    from gradlint.simulate.calling import call

    found, function = module.cls.lookup("configure_optimizers")
    if found and isinstance(function, Function) and any(base.endswith("LightningModule") for base in module.cls.outside):
        module.kept[_BUILT] = call(machine, function, [module], {}, function.node)


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
