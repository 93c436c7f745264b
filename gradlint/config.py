"""Configuration: `[tool.gradlint]` of the nearest pyproject.toml."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradlint.selection import UnknownRule, require_known

FORMATS = ("full", "concise", "json")
FILE_NAME = "pyproject.toml"


class ConfigError(ValueError):
    """The configuration is wrong; the message names file and key."""


@dataclass(frozen=True)
class Config:
    """What a run is told; None means not said. `root` is the folder that the patterns of `exclude` are relative to."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    unsafe_fixes: bool = False
    output_format: str = "full"
    root: Path | None = None


@dataclass(frozen=True)
class Configs:
    """The configuration of every folder: `given` everywhere, or else the nearest one from the folder upwards."""

    given: Config | None = None
    _seen: dict[Path, Config] = field(default_factory=dict, compare=False, repr=False)

    def of(self, folder: Path) -> Config:
        """The configuration that holds in a folder. Raises ConfigError."""
        if self.given is not None:
            return self.given
        home = Path(os.path.abspath(folder))
        if home not in self._seen:
            here = _config_in(home)
            above = Config() if home.parent == home else None
            self._seen[home] = here or above or self.of(home.parent)
        return self._seen[home]

    def below(self, folder: Path, inherited: Config, *, has_file: bool) -> Config:
        """As `of`, for a walk that knows what holds above a folder and whether it has a configuration file."""
        if self.given is not None or not has_file:
            return inherited
        return _config_in(Path(os.path.abspath(folder))) or inherited


def load_config(path: Path) -> Config:
    """Read a configuration file that must have the table. Raises ConfigError, which names the file and the key."""
    config = _from_table(path, _read(path))
    if config is None:
        raise ConfigError(f"{path}: there is no table [tool.gradlint]")
    return config


def _config_in(folder: Path) -> Config | None:
    path = folder / FILE_NAME
    return _from_table(path, _read(path)) if path.is_file() else None


def _read(path: Path) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


# The keys


def _strings(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return None
    return tuple(value)


def _rules(value: object) -> tuple[str, ...] | None:
    selectors = _strings(value)
    require_known(selectors or ())
    return selectors


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _format(value: object) -> str | None:
    return value if isinstance(value, str) and value in FORMATS else None


_KEYS: Mapping[str, tuple[Callable[[object], object], str]] = {
    "select": (_rules, "a list of strings"),
    "ignore": (_rules, "a list of strings"),
    "exclude": (_strings, "a list of strings"),
    "unsafe-fixes": (_truth, "true or false"),
    "output-format": (_format, f"one of {', '.join(map(repr, FORMATS))}"),
}


def _from_table(path: Path, document: Mapping[str, Any]) -> Config | None:
    """The settings of a document; None where it has no table of ours."""
    tool = document.get("tool")
    if not isinstance(tool, dict) or "gradlint" not in tool:
        return None
    table = tool["gradlint"]
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: `tool.gradlint` must be a table")
    settings: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; known keys: {', '.join(_KEYS)}"
            raise ConfigError(f"{path}: unknown key `{key}` in [tool.gradlint]{hint}")
        read, wanted = _KEYS[key]
        try:
            settings[key.replace("-", "_")] = read(value)
        except UnknownRule as error:
            raise ConfigError(f"{path}: `{key}` in [tool.gradlint]: {error}") from error
        if settings[key.replace("-", "_")] is None:
            raise ConfigError(f"{path}: `{key}` in [tool.gradlint] must be {wanted}")
    return Config(**settings, root=path.parent)
