"""Lightning's manual optimization: what `configure_optimizers` builds, and what `toggle_optimizer` leaves out.

Read in lightning 2.6: `core/module.py` (`optimizers`, `toggle_optimizer`), `core/optimizer.py` (`_init_optimizers_and_lr_schedulers`,
`LightningOptimizer.toggle_model`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradlint.simulate.callables import Function, Instance
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Optimizer, Schedule
from gradlint.simulate.unknown import unknown

HELD = frozenset(("optimizers", "lr_schedulers"))
"""Methods that give what the Trainer holds for a module."""
TOGGLES = frozenset(("toggle_optimizer", "untoggle_optimizer"))
"""Methods that say whose weights alone have gradients."""

_BUILT = "<configured>"


def configure(machine: Machine, module: Instance) -> None:
    """Build the optimizers of a module, as a Trainer does before it trains."""
    from gradlint.simulate.calling import call

    found, function = module.cls.lookup("configure_optimizers")
    if found and isinstance(function, Function) and any(base.endswith("LightningModule") for base in module.cls.outside):
        module.kept[_BUILT] = call(machine, function, [module], {}, function.node)


def held(machine: Machine, module: Any, name: str) -> Any:
    """What `module.optimizers()`, or `module.lr_schedulers()`, gives: one, or a list of them."""
    made = getattr(module, "kept", {}).get(_BUILT)
    if name == "optimizers":
        return _one_or_all(list(_optimizers_in(made))) or unknown(machine, "self.optimizer")
    return _one_or_all(list(_schedules_in(made))) or unknown(machine, "self.scheduler")


def _one_or_all(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found


def _optimizers_in(made: Any) -> Iterator[Optimizer]:
    """The optimizers of what was configured: one, several, `{"optimizer": ...}`, or a pair of lists."""
    if isinstance(made, Optimizer):
        yield made
    elif isinstance(made, dict):
        yield from _optimizers_in(made.get("optimizer"))
    elif isinstance(made, (list, tuple)):
        for each in made:
            yield from _optimizers_in(each)


def _schedules_in(made: Any) -> Iterator[Schedule]:
    """The schedules of what was configured, each beside its optimizer or in a list of their own."""
    if isinstance(made, Schedule):
        yield made
    elif isinstance(made, dict):
        yield from _schedules_in(made.get("lr_scheduler", made.get("scheduler")))
    elif isinstance(made, (list, tuple)):
        for each in made:
            yield from _schedules_in(each)


def toggle(machine: Machine, name: str, args: list[Any]) -> None:
    """Let the weights of one optimizer alone have gradients, or those of all again."""
    chosen = args[0] if args and name == "toggle_optimizer" else None
    machine.gradients.toggled = chosen if isinstance(chosen, Optimizer) else None
