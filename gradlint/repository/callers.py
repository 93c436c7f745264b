"""Which programs of a repository lead to a file: the scripts that import it, or import what does."""

from __future__ import annotations

import os
import re

from gradlint.model.names.dotted_paths import joined
from gradlint.repository.folder import Repository
from gradlint.repository.imports import imports_of
from gradlint.repository.nearby import nearby
from gradlint.repository.needed import Outline, outline
from gradlint.repository.resolve import resolve

MOST_PROGRAMS = 3
"""Programs that are run for one file."""

LEVELS = 3
"""Imports at the most between a program and the file."""


def programs(repository: Repository, path: str) -> list[str]:
    """The programs that come to a file by the fewest imports; where none is a program, the files that import it."""
    scripts = nearby(repository, path)
    found: list[str] = []
    importers: list[str] = []
    level, seen = [path], {path}
    for _ in range(LEVELS):
        above = []
        for target in level:
            for each in scripts:
                if each not in seen and (own := _importing(repository, each, target)) is not None:
                    seen.add(each)
                    above.append(each)
                    if target == path:
                        importers.append(each)
                    if any(statement.is_main for statement in own.statements):
                        found.append(each)
        if found:
            break
        level = above
    return (found or importers)[:MOST_PROGRAMS]


def _importing(repository: Repository, importer: str, target: str) -> Outline | None:
    """The outline of a file if it imports another one."""
    text = repository.text(importer)
    if text is None or not re.search(rf"\b{re.escape(_stem(target))}\b", text):
        return None
    found = outline(text)
    if found is None:
        return None
    for each in imports_of(statement.node for statement in found.statements):
        paths = (each.module, *(joined(each.module, name) for name in each.names or ()))
        if any(_stem(target) in path or target.endswith("__init__.py") for path in paths) and any(
            resolve(repository, importer, path) == target for path in paths
        ):
            return found
    return None


def _stem(path: str) -> str:
    """The name by which a file is imported."""
    folder, name = os.path.split(path)
    return os.path.basename(folder) if name == "__init__.py" else name.removesuffix(".py")
