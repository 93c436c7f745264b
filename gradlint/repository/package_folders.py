"""The folders of a repository that hold its packages, as `pyproject.toml` tells setuptools, Poetry and Hatch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from gradlint.config.toml import loads
from gradlint.repository.folder import Repository

PROJECT = "pyproject.toml"


def package_folders(repository: Repository) -> tuple[str, ...]:
    """Return the folders, inside the repository, in the order in which they are named."""
    text = repository.text(os.path.join(repository.root, PROJECT)) or ""
    if "package" not in text:
        return ()
    if text not in repository.package_folders:
        places = (os.path.normpath(os.path.join(repository.root, each)) for each in _named(text))
        repository.package_folders[text] = tuple(dict.fromkeys(each for each in places if repository.is_inside(each)))
    return repository.package_folders[text]


def _named(text: str) -> Iterator[str]:
    try:
        tool = _table(loads(text), "tool")
    except ValueError:
        return
    setuptools = _table(tool, "setuptools")
    of_all = _table(setuptools, "package-dir").get("")
    found = _table(setuptools, "packages", "find").get("where")
    poetry = _table(tool, "poetry").get("packages")
    hatch = _table(tool, "hatch", "build", "targets", "wheel").get("packages")
    yield from (each for each in [of_all, *_list(found)] if isinstance(each, str))
    yield from (each["from"] for each in _list(poetry) if isinstance(each, dict) and isinstance(each.get("from"), str))
    yield from (os.path.dirname(each) for each in _list(hatch) if isinstance(each, str))


def _table(value: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
