"""Annotations on a pull request, as workflow commands of GitHub Actions.

See https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions. The runner parses them in
https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gradlint.diagnostic import Applicability, Diagnostic, Severity
from gradlint.report.found import Report
from gradlint.report.lines import marker, one_line, printable

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def github(found: Report) -> Iterator[str]:
    """Yield one command per finding, and one per file on which gradlint failed."""
    for each in found.diagnostics:
        start, end = each.span.start, each.span.end
        place: dict[str, str | int] = {"file": found.path(each.filename)}
        place |= {"line": found.line(each, start.row), "endLine": found.line(each, end.row)}
        if each.cell is None and start.row == end.row:  # GitHub refuses columns for a place of several lines
            place |= {"col": start.column, "endColumn": end.column}
        yield _command(_COMMANDS[each.severity], {**place, "title": f"gradlint ({each.code})"}, "\n".join(_text(each, found)))
    for filename, why in found.failures:
        properties = {"file": found.path(filename), "title": "gradlint"}
        yield _command("error", properties, f"gradlint itself failed on this file: {one_line(why)}")


def _text(each: Diagnostic, found: Report) -> Iterator[str]:
    """Yield the text beside the code. It repeats the place, because the log shows nothing else."""
    cell = f"cell {each.cell}:" if each.cell is not None else ""
    path, start = f"{printable(found.path(each.filename))}:{cell}", each.span.start
    yield f"{path}{start.row}:{start.column}: {each.code} {marker(each, unsafe=found.unsafe)}{one_line(each.sentence)}"
    for related in each.related:
        yield f"  {path}{related.span.start.row}:{related.span.start.column}: {one_line(related.message)}"
    if each.fix is not None:
        unsafe = " (unsafe fix)" if each.fix.applicability is Applicability.UNSAFE else ""
        yield f"  help: {one_line(each.fix.message)}{unsafe}"
    if each.note:
        yield f"  note: {one_line(each.note)}"


def _command(name: str, properties: Mapping[str, str | int], text: str) -> str:
    shown = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{name} {shown}::{_data(text)}"


def _data(text: str) -> str:
    return printable(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
