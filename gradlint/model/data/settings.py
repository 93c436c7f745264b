"""What a file of settings says of accumulation: the DeepSpeed configuration that a script names, for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
