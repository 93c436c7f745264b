"""The N of an engine, as its configuration gives it: a dictionary, a file that the code names, or one beside the program.

Based on deepspeed 0.19 (`DeepSpeedConfig._set_batch_related_parameters`) and accelerate 1.15 (`prepare_deepspeed_cmd_env`,
`Accelerator.__init__`).
"""

from __future__ import annotations

from typing import Any

from gradlint.model.data.settings import BATCH, KNOWN, MANAGED, MICRO_BATCH, STEPS, Setting, SettingsFile, Table
from gradlint.simulate.assumptions import STEPS_OUT_OF_SIGHT
from gradlint.simulate.machine import Machine
from gradlint.simulate.paths import path_of
from gradlint.simulate.stated import agreed, table_of
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import TABLE, Opaque, number

_BATCHES = frozenset((BATCH, MICRO_BATCH))
_ONE = Setting(1, "")
"""N if a configuration does not give it."""


def configured(machine: Machine, kwargs: dict[str, Any]) -> tuple[Any, bool]:
    """The N of a DeepSpeed engine, from the arguments of `initialize`, and whether the script decides when it updates."""
    config = kwargs.get("config", kwargs.get("config_params"))
    steps = Opaque(f"deepspeed{STEPS_OUT_OF_SIGHT}")
    if isinstance(config, dict):
        # If both batch sizes are given but N is not, DeepSpeed computes it from them and the number of processes.
        known = STEPS in config or not config.keys() >= _BATCHES
        return config.get(STEPS, 1) if known else steps, config.get(MANAGED) is False
    if config is None and type(kwargs.get("args")) is Opaque:
        config = kwargs["args"].kept.get("deepspeed_config")
    named = table_of(machine, config)
    tables = [named] if named is not None else _beside(machine) if path_of(config) is None else []
    managed = agreed(each.entries.get(MANAGED) for each in tables)
    told = managed is not None and managed.value is False
    holder = config if type(config) is Opaque and TABLE in config.kept else None
    own = holder.kept.get(STEPS) if holder is not None else None
    if own is not None and not (type(own) is Opaque and own.identity in machine.asked.stated):
        return own, told  # the script has set it
    given = agreed(_steps(each, named=named is not None) for each in tables)
    if given is None:
        return steps, told
    if given.place:
        machine.asked.stated[steps.identity] = given
    if given.value != 1 or own is not None or _is_shared(machine):
        return steps, told
    if holder is not None:
        holder.kept[STEPS] = 1  # the same number where the script reads it
    return 1, told


def _is_shared(machine: Machine) -> bool:
    """Whether the script may have an N that is 1 as well, and that is meant to change together with the engine's."""
    names = {f"args.{name}": number(default) for name, default in machine.options.items() if machine.counts_steps(name)}
    names |= {name: machine.asked.actual.get(name) for name in machine.asked.numbers if machine.counts_steps(name)}
    return any(value is None or value == 1 for value in names.values())


def _steps(table: Table, *, named: bool) -> Setting | None:
    """N, as the engine reads it from a file. A file that the code does not name must give it."""
    if STEPS not in table.entries:
        return _ONE if named and not table.entries.keys() >= _BATCHES else None
    found = table.entries[STEPS]
    return found if isinstance(found, Setting) and type(found.value) is int and found.value > 0 else None


def _beside(machine: Machine) -> list[Table]:
    """The DeepSpeed configurations in the program's folder."""
    tables = (each.table for each in machine.around.settings.beside() if each.name.endswith(".json"))
    return [each for each in tables if not _OF_DEEPSPEED.isdisjoint(each.entries)]


_OF_DEEPSPEED = KNOWN | {"zero_optimization"}


def launched_steps(machine: Machine) -> Any:
    """The N that `accelerate launch` gives an accelerator with DeepSpeed, if all configurations beside the program agree."""
    files = [each for each in machine.around.settings.beside() if _launches(each)]
    given = agreed(each.values.get(STEPS) for each in files)
    if given is None or given.value < 2:
        return None
    made = unknown(machine, f"accelerator.{STEPS}", default=given.value, has_default=True)
    machine.asked.stated[made.identity] = given
    return made


def _launches(file: SettingsFile) -> bool:
    kind = file.table.entries.get("distributed_type")
    return isinstance(kind, Setting) and kind.value == "DEEPSPEED"
