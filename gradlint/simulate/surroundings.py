"""What a text imports of its own repository, and who imports it: parsed, and linked by the paths that imports spell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import libcst as cst


@dataclass(frozen=True, eq=False)
class Module:
    """A file of the repository: its name as a reader knows it, and as many of its statements as its importers need."""

    name: str
    statements: Sequence[cst.BaseStatement]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The modules in reach of the one that is run, which is `here`.

    `imports` say which module an importing one means by a dotted path, as it spells it.
    """

    here: str = ""
    modules: Mapping[str, Module] = field(default_factory=dict)
    imports: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def with_statements(self, path: str, statements: Sequence[cst.BaseStatement]) -> Surroundings:
        """The same, with another text of one module."""
        known = self.modules.get(path)
        return replace(self, modules={**self.modules, path: Module(known.name if known else path, statements)})


ALONE = Surroundings()
"""Nothing is around the text."""
