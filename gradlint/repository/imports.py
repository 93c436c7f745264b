"""The imports in a piece of code, including those in functions and branches, with the names that they bind."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Import:
    """One import: the dotted path of a module, with leading dots, and its imported names, each with the name that it is bound to.

    `names` is None for an import of the module itself, which is bound to `bound`.
    """

    module: str
    names: Mapping[str, str] | None = None
    bound: str = ""

    @property
    def packages(self) -> list[str]:
        """The packages around a module that is imported by its full path."""
        parts = self.module.split(".")
        return [".".join(parts[:count]) for count in range(1, len(parts))] if not self.module.startswith(".") else []

    def used_in(self, text: str) -> set[str]:
        """Return the attributes of the module that a text uses, if the module itself is imported."""
        return set(re.findall(rf"\b{re.escape(self.bound)}\s*\.\s*(\w+)", text))


def imports_of(node: ast.Import | ast.ImportFrom) -> Iterator[Import]:
    """Yield the imports of one statement."""
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, bound=alias.asname or alias.name) for alias in node.names)
    else:
        yield Import("." * node.level + (node.module or ""), {alias.name: alias.asname or alias.name for alias in node.names})
