"""From the dotted path of an import to the file of the repository that it names."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from gradlint.repository.folder import Repository

_OF_OTHERS = frozenset(
    "torch torchvision numpy transformers accelerate deepspeed lightning pytorch_lightning apex fairscale tqdm wandb scipy pandas "
    "matplotlib timm tensorboardX PIL cv2 sklearn yaml".split()
)
"""Packages that everybody installs: a file of such a name in a repository is hardly what an import of it means."""


def resolve(repository: Repository, importer: str, path: str) -> str | None:
    """The file of a module, by its dotted path as `importer` writes it, with leading dots; None for what is not in sight.

    A package is its `__init__.py`; one without is known by nothing but the modules in it.
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
    candidates = (place + ".py", os.path.join(place, "__init__.py")) if parts else (os.path.join(place, "__init__.py"),)
    return next((each for each in candidates if repository.holds(each) and repository.is_inside(each)), None)


def _bases(repository: Repository, importer: str) -> Iterator[str]:
    """The folders that an absolute import may start from: the importer's own and those above it, up to the root, and its `src`."""
    folder = os.path.dirname(importer)
    while folder.startswith(repository.root):
        yield folder
        if folder == repository.root:
            break
        folder = os.path.dirname(folder)
    yield os.path.join(repository.root, "src")
