"""The scripts near a file, which are searched for those that lead to it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gradlint.repository.folder import Repository

MOST_READ = 300
"""Limit on the scripts to search for one file."""


def nearby(repository: Repository, path: str) -> list[str]:
    """Return the scripts to search for those that lead to a file."""
    return [each for each in _nearby(repository, path) if each != path]


def _nearby(repository: Repository, path: str) -> Iterator[str]:
    """Yield the scripts that may lead to a file: in its folder, in those above it up to the root, and in their subfolders."""
    left = MOST_READ
    folder, seen = os.path.dirname(path), set[str]()
    while folder.startswith(repository.root):
        for each in (folder, *repository.folders_of(folder)):
            if each not in seen:
                seen.add(each)
                for script in repository.scripts_of(each):
                    yield script
                    left -= 1
                    if left <= 0:
                        return
        if folder == repository.root:
            return
        folder = os.path.dirname(folder)
