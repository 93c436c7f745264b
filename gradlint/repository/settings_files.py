"""Finds and reads the settings files of a program: those that its code names, and those in its folder."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gradlint.model.data.settings import EMPTY, SettingsFile, SettingsInSight, Table
from gradlint.repository.folder import SETTINGS, Repository
from gradlint.repository.json_settings import json_table
from gradlint.repository.yaml_settings import yaml_table

LARGEST = 100_000
"""Size limit of a settings file, in characters. Larger files hold data."""

MOST_FILES = 16
"""Limit on the files that are read for one program, and on those in its folder."""

_OF_ENGINES = re.compile(r"(^|[_-])ds([_.-])|deepspeed|accelerate|zero[_-]?\d", re.I)
"""File names of the configurations of DeepSpeed and Accelerate."""


@dataclass(frozen=True, eq=False)
class SettingsFiles(SettingsInSight):
    """The settings files around one program. `looked` are the paths that were tried, whether or not there is such a file.

    The checked file and the programs that lead to it share `looked`: its result depends on all of them.
    """

    repository: Repository
    folder: str
    looked: dict[str, None] = field(default_factory=dict)
    _named: dict[str, SettingsFile | None] = field(default_factory=dict)

    @classmethod
    def around(cls, repository: Repository, program: str) -> SettingsFiles:
        """The files around a program of a repository."""
        return cls(repository, os.path.dirname(program))

    def of(self, program: str) -> SettingsFiles:
        """The files around another program of the repository."""
        return SettingsFiles(self.repository, os.path.dirname(program), self.looked)

    def named(self, path: str) -> SettingsFile | None:
        """The file at a path that is relative to the program or to the root. A path that matches two files is ignored."""
        if path not in self._named:
            self._named[path] = self._found(path) if len(self._named) < MOST_FILES else None
        return self._named[path]

    def beside(self) -> Sequence[SettingsFile]:
        """The configurations of DeepSpeed and Accelerate in the program's folder, by name."""
        return self._beside

    @cached_property
    def _beside(self) -> Sequence[SettingsFile]:
        self.looked[os.path.join(self.folder, "")] = None
        paths = [each for each in self.repository.settings_of(self.folder) if _OF_ENGINES.search(os.path.basename(each))]
        return [each for path in paths[:MOST_FILES] if (each := self._read(path)) is not None]

    def _found(self, path: str) -> SettingsFile | None:
        if not path.endswith(SETTINGS) or path.startswith("~") or "\0" in path:
            return None
        places = dict.fromkeys(os.path.normpath(os.path.join(each, path)) for each in (self.folder, self.repository.root))
        found = [each for place in places if (each := self._read(place)) is not None]
        return found[0] if len(found) == 1 else None

    def _read(self, path: str) -> SettingsFile | None:
        if not path.startswith(self.repository.root + os.sep):
            return None
        self.looked[path] = None
        text = self.repository.text(path)
        return read_settings(text, self.repository.name(path)) if text is not None else None


def read_settings(text: str, name: str) -> SettingsFile:
    """Return the settings in the text of a file, which are empty if it is too large, or not in the format of its suffix."""
    return SettingsFile(name, _table(text, name) if len(text) <= LARGEST else EMPTY)


def _table(text: str, name: str) -> Table:
    try:
        return json_table(text, name) if name.endswith(".json") else yaml_table(text, name)
    except (ValueError, RecursionError, IndexError):
        return EMPTY
