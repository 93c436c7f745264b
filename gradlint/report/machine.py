"""The `json` format: an array, field names as Ruff's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from gradlint.diagnostic import Diagnostic, Place, Span
from gradlint.report.statistics import tallies

PAGES = "https://github.com/torch-gradlint/torch-gradlint/blob/main/rules"


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """The whole report as one JSON array, in ASCII."""
    return json.dumps([as_object(each) for each in diagnostics], indent=2)


def statistics_to_json(diagnostics: Iterable[Diagnostic], *, unsafe: bool) -> str:
    """The tallies of `--statistics` as one JSON array."""
    return json.dumps([asdict(tally) for tally in tallies(diagnostics, unsafe=unsafe)], indent=2)


def as_object(diagnostic: Diagnostic) -> dict[str, Any]:
    """One finding; file names are absolute, rows and columns count from 1."""
    fix = diagnostic.fix
    return {
        "cell": diagnostic.cell,
        "code": diagnostic.code,
        "name": diagnostic.name,
        "message": diagnostic.message,
        "severity": diagnostic.severity.value,
        "filename": os.path.abspath(diagnostic.filename),
        "location": _place(diagnostic.span.start),
        "end_location": _place(diagnostic.span.end),
        "fix": None
        if fix is None
        else {
            "applicability": fix.applicability.value,
            "message": fix.message,
            "edits": [{"content": edit.content, **_span(edit.span)} for edit in fix.edits],
        },
        "related": [{"message": each.message, **_span(each.span)} for each in diagnostic.related],
        "note": diagnostic.note,
        "url": page_url(diagnostic.code),
    }


def page_url(code: str) -> str:
    """Where a rule's page stands."""
    return f"{PAGES}/{code}.md"


def _place(place: Place) -> dict[str, int]:
    return {"row": place.row, "column": place.column}


def _span(span: Span) -> dict[str, dict[str, int]]:
    return {"location": _place(span.start), "end_location": _place(span.end)}
