"""Configuration: `[tool.gradlint]` of the nearest pyproject.toml."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMATS = ("full", "concise", "json")


class ConfigError(ValueError):
    """The configuration is wrong; the message names file and key."""


@dataclass(frozen=True)
class Config:
    """What a run is told; None means not said."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    unsafe_fixes: bool = False
    output_format: str = "full"
    root: Path | None = None


_KEYS: Mapping[str, tuple[str, type]] = {
    "select": ("select", list),
    "ignore": ("ignore", list),
    "exclude": ("exclude", list),
    "unsafe-fixes": ("unsafe_fixes", bool),
    "output-format": ("output_format", str),
}


def find_config(start: Path) -> Path | None:
    """The nearest pyproject.toml with a `[tool.gradlint]` table, from a folder upwards."""
    for folder in (start, *start.parents):
        candidate = folder / "pyproject.toml"
        try:
            if candidate.is_file() and "tool" in (table := _read(candidate)) and "gradlint" in table["tool"]:
                return candidate
        except OSError:
            continue
    return None


def load_config(path: Path) -> Config:
    """Read a configuration file. Raises ConfigError, which names the file and the key."""
    table = _read(path).get("tool", {})
    if path.name != "pyproject.toml" and "gradlint" not in table:
        raise ConfigError(f"{path}: there is no table [tool.gradlint]")
    settings: dict[str, Any] = {}
    for key, value in table.get("gradlint", {}).items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; known keys: {', '.join(_KEYS)}"
            raise ConfigError(f"{path}: unknown key `{key}` in [tool.gradlint]{hint}")
        field, kind = _KEYS[key]
        strings = kind is not list or (isinstance(value, list) and all(isinstance(each, str) for each in value))
        if not isinstance(value, kind) or not strings:
            shown = {"list": "a list of strings", "bool": "true or false", "str": "a string"}[kind.__name__]
            raise ConfigError(f"{path}: `{key}` in [tool.gradlint] must be {shown}")
        if field == "output_format" and value not in FORMATS:
            raise ConfigError(f"{path}: `{key}` in [tool.gradlint] must be one of {', '.join(FORMATS)}")
        settings[field] = tuple(value) if kind is list else value
    return replace(Config(**settings), root=path.parent)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
