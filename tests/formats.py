"""Findings made by hand, and readers of the formats as those programs read them that the formats are for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gradlint.diagnostic import Applicability, Diagnostic, Place, Related, Severity, Span, TextEdit, TextFix
from gradlint.report.formats import report
from gradlint.report.found import Report


def span(row: int, column: int, end_row: int, end_column: int) -> Span:
    return Span(Place(row, column), Place(end_row, end_column))


def finding(filename: str = "a.py", row: int = 1, message: str = "wrong", code: str = "GRD101", **more: object) -> Diagnostic:
    """A finding in the first four columns of a row."""
    settings: dict[str, object] = {"name": "unscaled-loss", "severity": Severity.ERROR, **more}
    return Diagnostic(filename, span(row, 1, row, 5), code, message=message, **settings)  # type: ignore[arg-type]


def hostile(text: str) -> Diagnostic:
    """A finding with a text wherever code, or a name that somebody chose, may stand."""
    fix = TextFix(f"Use `{text}`", Applicability.SAFE, (TextEdit(span(1, 1, 1, 5), text),))
    related = (Related(span(2, 1, 2, 3), f"see `{text}`"),)
    return finding(f"{text}b{text}.py", 1, f"`{text}` is {text} wrong", fix=fix, related=related, note=f"no `{text}`")


def written(name: str, *diagnostics: Diagnostic, **more: object) -> str:
    """What is printed in a format, without a summary."""
    settings: dict[str, object] = {"quiet": True, "root": Path.cwd(), **more}
    return "".join(f"{line}\n" for line in report(name, Report(diagnostics, **settings)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Command:
    """A workflow command as GitHub's runner understands it."""

    name: str
    properties: Mapping[str, str]
    data: str


_REGISTERED = frozenset(
    "add-mask add-matcher add-path debug echo endgroup error group notice remove-matcher save-state section set-env set-output "
    "stop-commands warning".split()
)
_DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
_PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


def commands(log: str) -> list[Command]:
    """The commands in a log: `::name key=value::data` at the start of a line, `##[name]data` anywhere in it."""
    found = []
    for line in re.split(r"\r\n|\r|\n", log):
        head, separator, data = line.lstrip()[2:].partition("::")
        name, _, rest = head.partition(" ")
        if line.lstrip().startswith("::") and separator and name.lower() in _REGISTERED:
            pairs = (each.partition("=") for each in rest.strip().split(",") if each)
            properties = {key: _unescaped(value, _PROPERTY) for key, _, value in pairs}
            found.append(Command(name, properties, _unescaped(data, _DATA)))
        elif (match := re.search(r"##\[([^\]]*)\](.*)", line)) and match.group(1).partition(" ")[0].lower() in _REGISTERED:
            found.append(Command(match.group(1), {}, match.group(2)))
    return found


def _unescaped(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for escape, char in escapes:
        text = text.replace(escape, char)
    return text
