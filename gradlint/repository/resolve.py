"""Finds the repository file for the dotted path of an import."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from gradlint.repository.folder import Repository
from gradlint.repository.package_folders import package_folders

_OF_OTHERS = frozenset(
    "torch torchvision numpy transformers accelerate deepspeed lightning pytorch_lightning apex fairscale tqdm wandb scipy pandas "
    "matplotlib timm tensorboardX PIL cv2 sklearn yaml".split()
)
"""Common third-party packages. A file in the repository with such a name is unlikely to be what an import means."""


def resolve(repository: Repository, importer: str, path: str) -> str | None:
    """Return the file of a module by its dotted path, as `importer` writes it, with leading dots. Return None if it is not found.

    The file of a package is its `__init__.py`. A package without one has no file, but its modules do.
    """
    names = path.lstrip(".")
    parts = [each for each in names.split(".") if each]
    dots = len(path) - len(names)
    if dots:
        folder = os.path.dirname(importer)
        for _ in range(dots - 1):
            folder = os.path.dirname(folder)
        return _module(repository, folder, parts)
    if not parts or parts[0] in _OF_OTHERS or parts[0] in sys.stdlib_module_names:
        return None
    found = (_module(repository, base, parts) for base in _bases(repository, importer))
    return next((each for each in found if each is not None and each != importer), None)


def _module(repository: Repository, folder: str, parts: list[str]) -> str | None:
    place = os.path.join(folder, *parts)
    package = os.path.join(place, "__init__.py")
    candidates = (package, place + ".py") if parts else (package,)  # Python prefers the package
    return next((each for each in candidates if repository.holds(each) and repository.is_inside(each)), None)


def _bases(repository: Repository, importer: str) -> Iterator[str]:
    """Yield the folders where an absolute import may start.

    These are the importer's, those above up to the root, the root's `src`, and the folders that its `pyproject.toml` names.
    """
    folder = os.path.dirname(importer)
    while folder.startswith(repository.root):
        yield folder
        if folder == repository.root:
            break
        folder = os.path.dirname(folder)
    yield os.path.join(repository.root, "src")
    yield from package_folders(repository)
