"""Settings files that affect training, such as a script's YAML or the DeepSpeed configuration that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

STEPS = "gradient_accumulation_steps"
CLIPPING = "gradient_clipping"
MICRO_BATCH = "train_micro_batch_size_per_gpu"
BATCH = "train_batch_size"
MANAGED = "managed_gradient_accumulation"
"""Whether the engine counts micro-batches. Otherwise the script decides when to update."""

KNOWN = frozenset((STEPS, CLIPPING, MICRO_BATCH, BATCH, MANAGED))
"""The DeepSpeed keys that affect accumulation."""

OF_DEEPSPEED = "deepspeed_config"
"""The table of an Accelerate file that holds DeepSpeed's settings."""

LOADERS = frozenset(
    (
        "json.load json.loads hjson.load hjson.loads yaml.load yaml.safe_load yaml.full_load yaml.unsafe_load omegaconf.OmegaConf.load"
    ).split()
)
"""Functions that return the content of a settings file."""


@dataclass(frozen=True)
class Setting:
    """A value in a settings file, and its place, such as `ds_config.json:7`. It is a number, a string, a boolean or None."""

    value: Any
    place: str


@dataclass(frozen=True)
class Table:
    """The settings and inner tables under the keys of a file.

    None is for a key with any other value: a list, a reference, one that is given twice, or "auto", which leaves the choice to
    another library.
    """

    entries: Mapping[str, Setting | Table | None] = field(default_factory=dict)

    def without(self, keys: frozenset[str]) -> Table:
        """The table without what it says about some keys."""
        return Table({**self.entries, **dict.fromkeys(keys)}) if keys else self


EMPTY = Table()

LARGEST = 1e15
"""Limit on the numbers of a settings file. A larger one is not a setting."""


def stated(value: Any, place: str) -> Setting | None:
    """The setting that a file gives with a value of JSON or YAML, or None if that says nothing."""
    if isinstance(value, (dict, list)) or value == "auto":
        return None
    return Setting(value, place) if not isinstance(value, (int, float)) or abs(value) < LARGEST else None


@dataclass(frozen=True)
class SettingsFile:
    """What a settings file says, by key."""

    name: str
    table: Table = EMPTY

    @cached_property
    def values(self) -> Mapping[str, Setting]:
        """The numbers that affect accumulation, outermost or in Accelerate's table for DeepSpeed. A key in both is left out."""
        inner = self.table.entries.get(OF_DEEPSPEED)
        tables = [self.table, inner] if isinstance(inner, Table) else [self.table]
        found: dict[str, Setting] = {}
        for key in KNOWN:
            given = [each.entries[key] for each in tables if key in each.entries]
            if len(given) == 1 and isinstance(given[0], Setting) and _fits(key, given[0].value):
                found[key] = given[0]
        return found


def _fits(key: str, value: Any) -> bool:
    """Whether a value is a boolean for the key that needs one, and a number for the others."""
    return isinstance(value, (int, float)) and isinstance(value, bool) == (key == MANAGED)


class SettingsInSight:
    """The settings files that a program can name. This one has none: nothing is read around the text."""

    def named(self, path: str) -> SettingsFile | None:
        """The file at a path as the code writes it."""
        return None

    def beside(self) -> Sequence[SettingsFile]:
        """The DeepSpeed and Accelerate configurations in the program's folder, for a program that names none."""
        return ()


NO_SETTINGS = SettingsInSight()


def merged(tables: Iterable[Table]) -> Table:
    """Several tables in one. Where two have a key, the later one applies."""
    entries: dict[str, Setting | Table | None] = {}
    for table in tables:
        for key, each in table.entries.items():
            known = entries.get(key)
            entries[key] = merged((known, each)) if isinstance(known, Table) and isinstance(each, Table) else each
    return Table(entries)
