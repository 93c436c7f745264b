"""Finds the programs of a repository that lead to a file: the scripts that import it, directly or through other files."""

from __future__ import annotations

import os
import re

from gradlint.repository.folder import Repository
from gradlint.repository.import_lines import modules_in
from gradlint.repository.nearby import nearby
from gradlint.repository.resolve import resolve

MOST_PROGRAMS = 2
"""Limit on the programs that are run for one file."""

LEVELS = 3
"""Limit on the number of imports from a program to the file."""

MOST_IMPORTERS = 12
"""Limit on the files of one level whose importers are searched.

A file with more importers is a library without a main program.
"""

_MAIN = re.compile(r"^if\s+__name__\s*==", re.M)


def programs(repository: Repository, path: str) -> list[str]:
    """Return the programs that reach a file with the fewest imports. If there are none, return the files that import it."""
    scripts = nearby(repository, path)
    importers: list[str] = []
    level, seen = [path], {path}
    for _ in range(LEVELS):
        above: list[str] = []
        for target in level[:MOST_IMPORTERS]:
            above += [each for each in scripts if each not in seen and _imports(repository, each, target)]
            seen.update(above)
        found = [each for each in above if _MAIN.search(repository.text(each) or "")]
        if found:
            return found[:MOST_PROGRAMS]
        importers = importers or above
        level = above
    return importers[:MOST_PROGRAMS]


def importers(repository: Repository, path: str) -> list[str]:
    """Return all files that import a file, directly or through other files, nearest first."""
    scripts, level, found = nearby(repository, path), [path], dict[str, None]()
    for _ in range(LEVELS):
        above = [each for each in scripts if each not in found and any(_imports(repository, each, target) for target in level)]
        found.update(dict.fromkeys(above))
        level = above
    return list(found)


def _imports(repository: Repository, importer: str, target: str) -> bool:
    """Whether a file imports another one."""
    text, stem = repository.text(importer), _stem(target)
    if text is None or stem not in text:
        return False
    package = target.endswith("__init__.py")
    paths = (path for path in modules_in(text) if package or stem in path)
    return any(resolve(repository, importer, path) == target for path in paths)


def _stem(path: str) -> str:
    """Return the name by which a file is imported."""
    folder, name = os.path.split(path)
    return os.path.basename(folder) if name == "__init__.py" else name.removesuffix(".py")
