"""What a file of settings says of accumulation: the DeepSpeed configuration that a script names, for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STEPS = "gradient_accumulation_steps"
CLIPPING = "gradient_clipping"
MICRO_BATCH = "train_micro_batch_size_per_gpu"
BATCH = "train_batch_size"
MANAGED = "managed_gradient_accumulation"
"""Whether the engine counts micro-batches; otherwise the script says when to update."""

KNOWN = frozenset((STEPS, CLIPPING, MICRO_BATCH, BATCH, MANAGED))
"""DeepSpeed's keys for what accumulation is about."""


@dataclass(frozen=True)
class Setting:
    """A number that a file of settings gives, and where, as `ds_config.json:7`."""

    value: int | float
    place: str


@dataclass(frozen=True)
class SettingsFile:
    """The known settings of a file by their keys; a key that it leaves to somebody else ("auto") is not among them."""

    name: str
    values: Mapping[str, Setting] = field(default_factory=dict)


NO_SETTINGS: Mapping[str, SettingsFile] = {}
"""A text names no file of settings, or none is read."""
