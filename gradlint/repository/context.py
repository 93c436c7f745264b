"""What the answer about a file depends on beside its own text: a new answer is due where any of that is another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gradlint.repository.folder import Repository, repository_of
from gradlint.repository.nearby import nearby


@dataclass(frozen=True)
class Context:
    """The files that were followed from a file, and what they and the scripts that may lead to it are known by."""

    followed: tuple[str, ...] = ()
    digest: str = ""


NO_CONTEXT = Context()
"""Nothing but the text itself was asked."""


class Contexts:
    """The contexts of files as they are now; each file of a repository is read once, however many ask for it."""

    def __init__(self) -> None:
        self._repositories: dict[str, Repository] = {}

    def holds(self, name: str, context: Context) -> bool:
        """Whether the context of a file is still what it was."""
        if not context.digest:
            return True
        repository = repository_of(Path(name))
        if repository is None:
            return False
        known = self._repositories.setdefault(repository.root, repository)
        return context_of(known, name, context.followed) == context


def context_of(repository: Repository, path: str, followed: tuple[str, ...]) -> Context:
    """The context of a file now."""
    real = os.path.realpath(path)
    return Context(followed, repository.digest([*nearby(repository, real), *followed]))
