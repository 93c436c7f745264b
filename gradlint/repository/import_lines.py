"""Finds the modules that a text imports by its lines.

The search for importers looks at many texts, and parsing them all is slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradlint.model.names.dotted_paths import joined

_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)|import[ \t]+([\w., \t]+))", re.M)
_NAME = re.compile(r"(\w+)(?:\s+as\s+\w+)?")
_PATH = re.compile(r"([\w.]+)(?:\s+as\s+\w+)?")


def modules_in(text: str) -> Iterator[str]:
    """Yield the dotted paths that a text imports, with leading dots.

    A name from a module may be a submodule, so it is included.
    """
    for match in _IMPORT.finditer(text):
        module, names, plain = match.groups()
        if plain:
            yield from _PATH.findall(plain)
        else:
            yield module
            yield from (joined(module, name) for name in _NAME.findall(names or ""))
