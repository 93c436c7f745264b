"""Refuses to overwrite a source or configuration file with a report. The name after `-o` may be a slip, or come from a shell."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from gradlint.config.load import FILE_NAMES, ConfigError

_SOURCES = frozenset((".py", ".pyi", ".pyw", ".ipynb"))


def require_apart(outputs: Mapping[str, Path | None], sources: Iterable[Path]) -> None:
    """Raise ConfigError if an output is, or links to, a source file, a configuration file, or one of the files to check."""
    given = {option: path for option, path in outputs.items() if path is not None and str(path) != "-"}
    for option, path in given.items():
        for name in (path, Path(os.path.realpath(path))):
            if name.suffix.lower() in _SOURCES:
                raise ConfigError(f"{option}: {path} is a source file, and gradlint does not overwrite it")
            if name.name in FILE_NAMES:
                raise ConfigError(f"{option}: {path} is a configuration file, and gradlint does not overwrite it")
    there = {found: (option, path) for option, path in given.items() if (found := _identity(path)) is not None}
    if not there:
        return
    for source in sources:
        found = _identity(source)
        if found in there:
            option, path = there[found]
            raise ConfigError(f"{option}: {path} is one of the files to check, and gradlint does not overwrite it")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the identity of a file, regardless of the name that leads to it."""
    with suppress(OSError, ValueError):
        found = os.stat(path)  # noqa: PTH116 - half the time of a Path's
        return found.st_dev, found.st_ino
    return None
