"""What the answer about a file depends on beside its own text: a new answer is due where any of that is another."""

from __future__ import annotations

import os
from dataclasses import dataclass

from gradlint.repository.folder import Repository
from gradlint.repository.nearby import nearby


@dataclass(frozen=True)
class Context:
    """The files that were followed from a file, and what they and the scripts that may lead to it are known by."""

    followed: tuple[str, ...] = ()
    digest: str = ""


NO_CONTEXT = Context()
"""Nothing but the text itself was asked."""


def context_of(repository: Repository, path: str, followed: tuple[str, ...]) -> Context:
    """The context of a file now."""
    real = os.path.realpath(path)
    return Context(followed, repository.digest([*nearby(repository, real), *followed]))
