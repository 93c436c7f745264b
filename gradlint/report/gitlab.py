"""GitLab's code quality report, a subset of Code Climate's: https://docs.gitlab.com/ci/testing/code_quality/."""

from __future__ import annotations

from typing import Any

from gradlint.diagnostic import Diagnostic, Severity
from gradlint.report.fingerprint import fingerprints
from gradlint.report.found import Report
from gradlint.report.lines import in_cell, one_line
from gradlint.report.machine import to_text

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def gitlab(found: Report) -> str:
    """Return the whole report as one JSON array."""
    return to_text([_issue(each, mark, found) for each, mark in zip(found.diagnostics, fingerprints(found), strict=True)])


def _issue(each: Diagnostic, fingerprint: str, found: Report) -> dict[str, Any]:
    begin: dict[str, int] = {"line": found.line(each, each.span.start.row)}
    end: dict[str, int] = {"line": found.line(each, each.span.end.row)}
    if each.cell is None:
        begin["column"], end["column"] = each.span.start.column, each.span.end.column
    return {
        "type": "issue",
        "check_name": each.code,
        # GitLab shows only the description
        "description": f"{each.code}: {in_cell(each)}{one_line(each.sentence)}",
        "categories": ["Bug Risk"],
        "severity": _SEVERITIES[each.severity],
        "fingerprint": fingerprint,
        "location": {"path": found.path(each.filename), "positions": {"begin": begin, "end": end}},
    }
