"""Turns a path or an address into a folder to check and the commit that it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradlint.organisation.git import GitFailed, git, is_url, without_password
from gradlint.organisation.tree import clone, forget_origin, write_tree


@dataclass(frozen=True)
class Checkout:
    """A folder with the files of a repository at a commit."""

    folder: Path
    commit: str


@contextmanager
def checkout(name: str, scratch: Path) -> Iterator[Checkout]:
    """Provide the files of a repository: a working tree as it is, anything else as a copy in `scratch`. Raises GitFailed."""
    if without_password(name) != name:
        raise GitFailed("the address contains a user or password; put a token into the environment instead")
    if is_url(name):
        bare = scratch / "git"
        clone(name, bare)
        forget_origin(bare)
    else:
        bare = _folder(name)
        if _is_work_tree(bare):
            yield Checkout(bare, _head(bare))
            return
    commit = _head(bare)
    folder = scratch / "files"
    folder.mkdir()
    write_tree(bare, commit, folder)
    yield Checkout(folder, commit)


def _folder(name: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise GitFailed("there is no such folder")
    if not (folder / ".git").exists() and not ((folder / "HEAD").is_file() and (folder / "objects").is_dir()):
        raise GitFailed("this is not a git repository")
    return folder.absolute()


def _is_work_tree(folder: Path) -> bool:
    return os.path.lexists(folder / ".git")


def _head(folder: Path) -> str:
    try:
        return git("rev-parse", "--verify", "--quiet", "HEAD", cwd=folder).decode().strip()
    except GitFailed as error:
        raise GitFailed("the repository has no commit") from error
