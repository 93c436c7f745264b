"""Finds and reads the configuration: the closest `.gradlint.toml`, `gradlint.toml`, or pyproject.toml with `[tool.gradlint]`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradlint.config.contents import LARGEST_SETTINGS, regular
from gradlint.config.settings import Config as Config
from gradlint.config.settings import Settings

PYPROJECT = "pyproject.toml"
FILE_NAMES = (".gradlint.toml", "gradlint.toml", PYPROJECT)
"""If a folder has several, the first one applies."""
_TABLE = ("tool", "gradlint")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class ConfigError(ValueError):
    """The configuration is wrong. The message names the file, line and key."""


@dataclass(frozen=True)
class Configs:
    """The configuration of every folder: `given` if it is set, or else the closest one in the folder or above it.

    `overrides` apply on top of each configuration. They are pairs of settings and their source.
    """

    given: Config | None = None
    overrides: tuple[tuple[Settings, str], ...] = ()
    _seen: dict[Path, Config] = field(default_factory=dict, compare=False, repr=False)

    def of(self, folder: Path) -> Config:
        """Return the configuration that applies in a folder. Raises ConfigError."""
        home = Path() if self.given is not None else Path(os.path.abspath(folder))
        if home not in self._seen:
            if self.given is not None:
                self._seen[home] = self._on_top(self.given)
            else:
                here = self._here(home)
                above = self._on_top(Config()) if home.parent == home else None
                self._seen[home] = here or above or self.of(home.parent)
        return self._seen[home]

    def below(self, folder: Path, inherited: Config, *, has_file: bool) -> Config:
        """Like `of`, for a walk that knows what the folder inherits and whether it has a configuration file itself."""
        if self.given is not None or not has_file:
            return inherited
        return self._here(Path(os.path.abspath(folder))) or inherited

    def _here(self, folder: Path) -> Config | None:
        config = _config_in(folder)
        return None if config is None else self._on_top(config)

    def _on_top(self, config: Config) -> Config:
        for settings, source in self.overrides:
            config = config.with_settings(settings, Path.cwd(), source)
        return config


def load_config(path: Path) -> Config:
    """Read a configuration file. A pyproject.toml must have a gradlint table. Raises ConfigError."""
    config = _load(path)
    if config is None:
        raise ConfigError(f"{path}: there is no table [tool.gradlint]")
    return config


def read_inline(text: str) -> Settings:
    """Read the settings of a `key = value` from the command line. Raises ConfigError."""
    settings = _settings(_Document("--config", text, (), "")) or {}
    if "extend" in settings:
        raise ConfigError("--config: `extend` only works in configuration files; pass the file to --config instead")
    return settings


def is_file(path: Path) -> bool:
    """Whether a path leads to a file. False also if the path is too long, or passes through a folder that is not readable."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _config_in(folder: Path) -> Config | None:
    found = (_load(folder / name) for name in FILE_NAMES if is_file(folder / name))
    return next((config for config in found if config is not None), None)


def _load(path: Path, below: tuple[Path, ...] = ()) -> Config | None:
    """Read a configuration file on top of what it extends. Return None for a pyproject.toml without a gradlint table."""
    try:
        text = regular(path, LARGEST_SETTINGS).decode().replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: byte {error.object[error.start]:#04x} is not UTF-8") from error
    if path.name != PYPROJECT:
        document = _Document(str(path), text, (), "")
    elif _TABLE[1] in text:
        document = _Document(str(path), text, _TABLE, " in [tool.gradlint]")
    else:
        return None  # most projects have no gradlint table, so this saves parsing their TOML
    settings = _settings(document)
    if settings is None:
        return None
    base = Config()
    if "extend" in settings:
        base = _extended(path, Path(settings["extend"]), (*below, path), document)
    return replace(base.with_settings(settings, path.parent, str(path)), source=path)


def _extended(path: Path, target: Path, below: tuple[Path, ...], document: _Document) -> Config:
    """Return the configuration that a file extends. `below` are the files that led to it."""
    other = path.parent / target.expanduser()
    if any(os.path.realpath(other) == os.path.realpath(each) for each in below):
        raise document.error(("extend",), f"`extend` leads back to {'this file' if other == path else target}")
    if not is_file(other):
        raise document.error(("extend",), f"`extend`: there is no file {other}")
    config = _load(other, below)
    if config is None:
        raise document.error(("extend",), f"`extend`: there is no table [tool.gradlint] in {other}")
    return config


@dataclass(frozen=True)
class _Document:
    """A text with settings, the path to the table that holds them, and how messages refer to it."""

    name: str
    text: str
    table: tuple[str, ...]
    where: str

    def error(self, path: tuple[str, ...], message: str, holding: str | None = None) -> ConfigError:
        """Return the error for a value, given its path below the table."""
        from gradlint.config.toml_lines import line_of

        row = line_of(self.text, (*self.table, *path), holding)
        return ConfigError(f"{self.name}{f':{row}' if row and self.name != '--config' else ''}: {message}")

    def read(self) -> Mapping[str, Any] | None:
        """Return the table, or None if there is none."""
        from gradlint.config.toml import loads

        try:
            found: Any = loads(self.text)
        except ValueError as error:
            row = _AT_LINE.search(str(error))
            place = f":{row.group(1)}" if row and self.name != "--config" else ""
            raise ConfigError(f"{self.name}{place}: not valid TOML: {error}") from error
        for part in self.table:
            if not isinstance(found, dict) or part not in found:
                return None
            found = found[part]
        if not isinstance(found, dict):
            raise self.error((), "`tool.gradlint` must be a table")
        return found


def _settings(document: _Document) -> Settings | None:
    """Return the settings of a document, or None if it has no gradlint table."""
    from gradlint.config.schema import KEYS, Mistake, suggestion

    table = document.read()
    if table is None:
        return None
    settings: dict[str, Any] = {}
    for key, value in table.items():
        if key not in KEYS:
            hint = suggestion(key, KEYS)
            if key == "tool" and not document.table:
                hint = f"; in {Path(document.name).name} settings are at the top level, without [tool.gradlint]"
            raise document.error((key,), f"unknown key `{key}`{document.where}{hint}")
        try:
            settings[key] = KEYS[key].read(value)
        except Mistake as error:
            within = "".join(f".{part}" for part in error.within)
            raise document.error((key, *error.within), f"`{key}{within}`{document.where}{error}", error.holding) from error
    return settings
