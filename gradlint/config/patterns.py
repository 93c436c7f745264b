""".gitignore patterns, and their verdict on a path. The library that matches them is imported with the first pattern."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint.config.settings import FileIgnores, Globs

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True)
class Patterns:
    """The patterns of one file, the folder that they are relative to, and how messages refer to their source."""

    home: Path
    spec: GitIgnoreSpec
    source: str

    @staticmethod
    def of(home: Path, lines: Iterable[str], source: str) -> Patterns:
        """Compile patterns from their lines, and skip invalid lines, as git does."""
        from pathspec import GitIgnoreSpec

        from gradlint.config.stepping import linear

        read = GitIgnoreSpec.from_lines(line for line in lines if is_pattern(line))
        return Patterns(home, GitIgnoreSpec(linear(read.patterns)), source)

    def verdict(self, path: Path, *, is_folder: bool) -> bool | None:
        """Return True if a path is excluded, False if it is included, None if no pattern matches or it is outside the folder."""
        relative = os.path.relpath(path, self.home)
        if relative.startswith(os.pardir):
            return None
        return self.spec.check_file(relative + ("/" if is_folder else "")).include


Compiled = tuple[Patterns, ...]


def is_pattern(line: str) -> bool:
    """Whether a line of a .gitignore is valid. Blank lines and comments are."""
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines((line,))
    except (ValueError, re.error):
        return False
    return True


def compiled(globs: Iterable[Globs]) -> Compiled:
    """Compile the patterns."""
    return tuple(Patterns.of(each.home, each.lines, each.source) for each in globs if each.lines)


def leaving_out(patterns: Compiled, path: Path, *, is_folder: bool) -> str | None:
    """Return the source of the first patterns that match a path."""
    return next((each.source for each in patterns if each.verdict(path, is_folder=is_folder)), None)


def silencer(ignores: Iterable[FileIgnores]) -> Callable[[Path], tuple[str, ...]]:
    """Return a function that gives the selectors that `per-file-ignores` has for a file."""
    rows = [(Patterns.of(each.globs.home, each.globs.lines, each.globs.source), each) for each in ignores]

    def silenced(path: Path) -> tuple[str, ...]:
        return tuple(
            selector
            for patterns, each in rows
            if bool(patterns.verdict(path, is_folder=False)) is not each.others
            for selector in each.selectors
        )

    return silenced
