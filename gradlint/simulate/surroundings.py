"""What a text imports from its repository, and who imports it: parsed, and linked by the paths in imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import libcst as cst

from gradlint.model.data.settings import NO_SETTINGS, SettingsInSight


@dataclass(frozen=True, eq=False)
class Module:
    """A file of the repository: its name for readers, and the statements that its importers need."""

    name: str
    statements: Sequence[cst.BaseStatement]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The modules reachable from the one that runs, which is `here`.

    `imports` maps an importing module and a dotted path, as spelled there, to the imported module. `settings` are the settings
    files that the program can name.
    """

    here: str = ""
    modules: Mapping[str, Module] = field(default_factory=dict)
    imports: Mapping[tuple[str, str], str] = field(default_factory=dict)
    settings: SettingsInSight = NO_SETTINGS

    def with_statements(self, path: str, statements: Sequence[cst.BaseStatement]) -> Surroundings:
        """The same surroundings, with another text for one module."""
        known = self.modules.get(path)
        return replace(self, modules={**self.modules, path: Module(known.name if known else path, statements)})


ALONE = Surroundings()
"""No other modules."""
