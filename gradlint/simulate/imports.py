"""What an import binds."""

from __future__ import annotations

import libcst as cst

from gradlint.model.syntax.expressions import dotted


def imported(node: cst.Import | cst.ImportFrom) -> list[tuple[str, str]]:
    """The names that an import gives, each with the full dotted name of what it is."""
    found: list[tuple[str, str]] = []
    if isinstance(node, cst.Import):
        for alias in node.names:
            path = dotted(alias.name) or ""
            if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                found.append((alias.asname.name.value, path))
            else:
                first = path.partition(".")[0]
                found.append((first, first))
    elif not isinstance(node.names, cst.ImportStar):
        module = "." * len(node.relative) + (dotted(node.module) or "" if node.module is not None else "")
        for alias in node.names:
            name = dotted(alias.name) or ""
            bound = alias.asname.name.value if alias.asname is not None and isinstance(alias.asname.name, cst.Name) else name
            found.append((bound, f"{module}.{name}" if module else name))
    return found
