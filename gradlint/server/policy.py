"""Decides how to check a file: its configuration, overridden by the editor's settings as by the command line's options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from gradlint.config.load import FILE_NAMES, Config, Configs, load_config
from gradlint.config.patterns import silencer
from gradlint.config.schema import KEYS, Mistake, suggestion
from gradlint.config.selection import Selection
from gradlint.files.discover import FileKind, discover, excluded
from gradlint.run.baselines import Baselines
from gradlint.run.task import Task
from gradlint.suppression.baseline import Entries

SYNTAX_ERRORS = "show-syntax-errors"
CONFIGURATION = "configuration"
_ELSEWHERE = frozenset(("extend", "output-format", "force-exclude", "respect-gitignore"))
"""Keys of configuration files that have no meaning in an editor."""
_KEYS = {key: each for key, each in KEYS.items() if key not in _ELSEWHERE}
_OWN = {SYNTAX_ERRORS: None, CONFIGURATION: None}
"""Settings that are no keys of configuration files."""
_HUMP = re.compile(r"(?<=[a-z])[A-Z]")


@dataclass(frozen=True)
class Settings:
    """The editor's settings: keys of the configuration files, and whether to show GRD000 while typing.

    `configuration` is a file that replaces the closest one, as `--config` does.
    """

    overrides: Mapping[str, Any] = field(default_factory=dict)
    syntax_errors: bool = True
    configuration: Path | None = None


def read_settings(value: object) -> tuple[Settings, tuple[str, ...], tuple[str, ...]]:
    """Read the editor's settings. Return them, the mistakes in them, and the unknown keys, which may be for the editor plugin.

    Wrong and unknown settings are left out. Keys may be written as in configuration files or in camel case, and be nested in
    `settings`, as with other servers, or in `gradlint`.
    """
    for wrapper in ("settings", "gradlint"):
        if isinstance(value, Mapping) and isinstance(value.get(wrapper), Mapping):
            value = value[wrapper]
    if not isinstance(value, Mapping):
        return Settings(), () if value is None else ("the editor's settings must be an object",), ()
    overrides: dict[str, Any] = {}
    mistakes: list[str] = []
    strange: list[str] = []
    syntax_errors = True
    configuration: Path | None = None
    for name, given in value.items():
        key = _HUMP.sub(lambda match: f"-{match.group().lower()}", str(name))
        if given is None:
            continue
        if key == SYNTAX_ERRORS:
            syntax_errors = given is not False
        elif key == CONFIGURATION:
            if isinstance(given, str) and given:
                configuration = Path(given).expanduser()
            elif given:
                mistakes.append(f"the editor's settings: `{name}` must be the path of a file")
        elif key not in _KEYS:
            strange.append(f"the editor's settings: unknown key `{name}`{suggestion(key, {**_KEYS, **_OWN})}")
        else:
            try:
                overrides[key] = _KEYS[key].read(given)
            except Mistake as error:
                mistakes.append(f"the editor's settings: `{name}{''.join(f'.{part}' for part in error.within)}`{error}")
    return Settings(overrides, syntax_errors, configuration), tuple(mistakes), tuple(strange)


@dataclass(frozen=True)
class Policy:
    """The settings for one file. Equal policies give equal findings."""

    task: Task
    syntax_errors: bool = True

    @property
    def by_itself(self) -> Policy:
        """The same policy without the modules around the file, because following them takes too long after a keystroke."""
        return replace(self, task=replace(self.task, follow=False))


@dataclass
class Policies:
    """The policy of every file. Configuration files are read again when they have changed.

    A baseline, and a file that others extend, are read only once. If they may have changed, create new Policies.
    """

    settings: Settings = field(default_factory=Settings)
    _configs: Configs | None = None
    _baselines: Baselines = field(default_factory=Baselines)
    _stamps: dict[Path, object] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, path: Path | None) -> Policy | None:
        """Return the policy of a file, which need not exist, or None if it is excluded. Raises ConfigError and BaselineError."""
        with self._lock:
            return self._of(path)

    def words(self, path: Path | None) -> str:
        """Return which configuration applies to a file. Raises ConfigError and BaselineError."""
        with self._lock:
            config = self._config(path.parent if path is not None else Path.cwd())
            source = f"configured by {config.source}" if config.source is not None else "no configuration file"
            return f"{source}, excluded" if self._of(path) is None else source

    def scripts(self, roots: Sequence[Path]) -> list[Path]:
        """Return the scripts below some folders that the configuration does not exclude. Raises ConfigError."""
        found = discover([each for each in roots if each.is_dir()], self._new_configs())
        return [each.path for each in found.targets if each.path.suffix == FileKind.SCRIPT.value]

    def _of(self, path: Path | None) -> Policy | None:
        config = self._config(path.parent if path is not None else Path.cwd())
        if path is None:
            return self._policy(config, (), None)
        if excluded(path, config) is not None:
            return None
        return self._policy(config, silencer(config.per_file_ignores)(path), self._baselines.entries(config.baseline, path))

    def _policy(self, config: Config, silenced: tuple[str, ...], accepted: Entries | None) -> Policy:
        selection = Selection(config.layers, config.severity, silenced)
        task = Task(selection, False, config.unsafe_fixes, config.names, accepted, follow=config.follow, max_size=config.max_size)
        return Policy(task, self.settings.syntax_errors)

    def _new_configs(self) -> Configs:
        named = self.settings.configuration
        given = load_config(named) if named is not None else None
        return Configs(given, overrides=((self.settings.overrides, "the editor's settings"),))

    def _config(self, folder: Path) -> Config:
        stamp = _stamp(folder)
        if self._configs is None or self._stamps.get(folder, stamp) != stamp:
            self._configs = self._new_configs()
            self._baselines = Baselines()
            self._stamps.clear()
        self._stamps[folder] = stamp
        return self._configs.of(folder)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes with the configuration files of a folder and of those above it."""
    found = []
    for home in (folder, *folder.parents):
        for name in FILE_NAMES:
            try:
                state = (home / name).stat()
            except OSError:
                continue
            found.append((str(home / name), state.st_mtime_ns, state.st_size))
    return tuple(found)
