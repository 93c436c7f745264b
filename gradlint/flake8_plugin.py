"""A plugin for flake8. It is imported whenever flake8 starts, so it imports gradlint only once there is a file to check."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint import __version__

if TYPE_CHECKING:
    from gradlint.diagnostic import Diagnostic


class Checker:
    """What flake8 makes for each file. `lines` are its text, which may come from stdin."""

    name = "gradlint"
    version = __version__

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        del tree  # asking for it makes flake8 call the plugin once per file that parses
        self._path = Path(filename)
        self._text = "".join(lines)

    def run(self) -> Iterator[tuple[int, int, str, type[Checker]]]:
        """Yield the row, the column from 0, the text and the origin of each finding."""
        from gradlint.config.load import ConfigError
        from gradlint.config.selection import UnknownRule

        try:
            found = self._found()
        except (ConfigError, UnknownRule) as error:
            yield 1, 0, f"GRD000 {error}", Checker
            return
        for each in found:
            yield each.span.start.row, each.span.start.column - 1, f"{each.code} {each.sentence}", Checker

    def _found(self) -> Sequence[Diagnostic]:
        """Check the text, with the settings of the closest gradlint configuration if there is a file."""
        from gradlint.api import CheckFailed, check_source
        from gradlint.run.options import Options
        from gradlint.run.plan import make_plan
        from gradlint.run.runner import run

        if not self._path.is_file():
            return check_source(self._text, str(self._path))
        plan = make_plan(Options((self._path,), force_exclude=True))
        found: list[Diagnostic] = []
        for result in run([replace(job, data=_encoded(self._text)) for job in plan.jobs], 1):
            if result.crash is not None:
                raise CheckFailed(f"{result.path}: {result.crash}")
            found.extend(result.diagnostics)
        return found


def _encoded(text: str) -> bytes:
    """Return a text in the encoding that its first lines name."""
    import io
    import tokenize

    data = text.encode("utf-8", "replace")
    try:
        return text.encode(tokenize.detect_encoding(io.BytesIO(data).readline)[0])
    except (SyntaxError, UnicodeError, LookupError):
        return data
