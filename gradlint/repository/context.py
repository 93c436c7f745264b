"""What the result for a file depends on besides its text. If any of it changes, the file must be checked again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gradlint.repository.folder import Repository, repository_of
from gradlint.repository.nearby import nearby
from gradlint.repository.package_folders import PROJECT


@dataclass(frozen=True)
class Context:
    """The files that were followed from a file, and a digest of them and of the scripts that may lead to it."""

    followed: tuple[str, ...] = ()
    digest: str = ""


NO_CONTEXT = Context()
"""The result depends on nothing but the text itself."""


class Contexts:
    """The current contexts of files. Each file of a repository is read only once."""

    def __init__(self) -> None:
        self._repositories: dict[str, Repository] = {}

    def holds(self, name: str, context: Context) -> bool:
        """Whether the context of a file is still the same."""
        if not context.digest:
            return True
        repository = repository_of(Path(name))
        if repository is None:
            return False
        known = self._repositories.setdefault(repository.root, repository)
        return context_of(known, name, context.followed) == context


def context_of(repository: Repository, path: str, followed: tuple[str, ...]) -> Context:
    """Return the current context of a file."""
    real = os.path.realpath(path)
    project = os.path.join(repository.root, PROJECT)
    return Context(followed, repository.digest([*nearby(repository, real), *followed, project]))
