"""Settings files that affect accumulation, such as the DeepSpeed configuration that a script names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STEPS = "gradient_accumulation_steps"
CLIPPING = "gradient_clipping"
MICRO_BATCH = "train_micro_batch_size_per_gpu"
BATCH = "train_batch_size"
MANAGED = "managed_gradient_accumulation"
"""Whether the engine counts micro-batches. Otherwise the script decides when to update."""

KNOWN = frozenset((STEPS, CLIPPING, MICRO_BATCH, BATCH, MANAGED))
"""The DeepSpeed keys that affect accumulation."""


@dataclass(frozen=True)
class Setting:
    """A number in a settings file, and its place, such as `ds_config.json:7`."""

    value: int | float
    place: str


@dataclass(frozen=True)
class SettingsFile:
    """The known settings of a file, by key. Keys that are left to another library ("auto") are not included."""

    name: str
    values: Mapping[str, Setting] = field(default_factory=dict)


NO_SETTINGS: Mapping[str, SettingsFile] = {}
"""For a text that names no settings files, or if none are read."""
