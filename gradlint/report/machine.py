"""The formats `json` (an array of findings), `json-lines` (one finding per line) and `verdicts`. Field names are as in Ruff."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from gradlint.diagnostic import Diagnostic, LoopVerdict, Place, Span
from gradlint.report.pages import page_url as page_url
from gradlint.report.statistics import tallies

_ESCAPED = re.compile(r"[^\n\x20-\x7e]|(?<=##)\[")


def to_text(value: object, *, indent: int | None = 2) -> str:
    """Return a document in printable ASCII that any parser accepts.

    Surrogates, which represent bytes of file names that are not UTF-8, become U+FFFD. `##[`, which GitHub reads as a command
    anywhere in a line of a log, is escaped, which makes no difference to a parser.
    """
    return _ESCAPED.sub(_escape, json.dumps(value, indent=indent, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if "\ud800" <= char <= "\udfff":
        char = "\N{REPLACEMENT CHARACTER}"
    return json.dumps(char)[1:-1] if char > "\x7f" else f"\\u{ord(char):04x}"


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return the whole report as one JSON array."""
    return to_text([as_object(each) for each in diagnostics])


def to_json_lines(diagnostics: Iterable[Diagnostic]) -> Iterator[str]:
    """Yield each finding as a JSON object on a separate line."""
    return (to_text(as_object(each), indent=None) for each in diagnostics)


def statistics_to_json(diagnostics: Iterable[Diagnostic], *, unsafe: bool) -> str:
    """Return the tallies of `--statistics` as one JSON array."""
    return to_text([asdict(tally) for tally in tallies(diagnostics, unsafe=unsafe)])


def statistics_to_json_lines(diagnostics: Iterable[Diagnostic], *, unsafe: bool) -> Iterator[str]:
    """Yield each tally of `--statistics` as a JSON object on a separate line."""
    return (to_text(asdict(tally), indent=None) for tally in tallies(diagnostics, unsafe=unsafe))


def verdicts_to_json(loops: Iterable[LoopVerdict]) -> str:
    """Return the verdict on each training loop, as one JSON array."""
    return to_text([_verdict(each) for each in loops])


def _verdict(loop: LoopVerdict) -> dict[str, Any]:
    """Return one verdict. File names are absolute. Rows count from 1 and, in a notebook, within the cell."""
    reason = {"cell": loop.reason_cell, "row": loop.reason_line} if loop.reason_line else None
    return {
        "cell": loop.cell,
        "filename": os.path.abspath(loop.filename),
        "location": {"row": loop.line},
        "end_location": {"row": loop.last_line},
        "verdict": loop.answer,
        "rules": list(loop.codes),
        "silenced": loop.silenced,
        "reason": loop.reason or None,
        "reason_location": reason,
        "message": loop.words,
    }


def as_object(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return one finding. File names are absolute, and rows and columns count from 1."""
    fix = diagnostic.fix
    return {
        "cell": diagnostic.cell,
        "code": diagnostic.code,
        "name": diagnostic.name,
        "message": diagnostic.message,
        "reason": diagnostic.reason or None,
        "severity": diagnostic.severity.value,
        "filename": os.path.abspath(diagnostic.filename),
        "location": _place(diagnostic.span.start),
        "end_location": _place(diagnostic.span.end),
        "fix": None
        if fix is None
        else {
            "applicability": fix.applicability.value,
            "message": fix.message,
            "edits": [
                *({"content": edit.content, **_span(edit.span)} for edit in fix.edits),
                *(
                    {"content": edit.content, "filename": part.filename, **_span(edit.span)}
                    for part in fix.elsewhere
                    for edit in part.edits
                ),
            ],
        },
        "related": [{"message": each.message, **_span(each.span)} for each in diagnostic.related],
        "note": diagnostic.note,
        "url": page_url(diagnostic.code),
    }


def _place(place: Place) -> dict[str, int]:
    return {"row": place.row, "column": place.column}


def _span(span: Span) -> dict[str, dict[str, int]]:
    return {"location": _place(span.start), "end_location": _place(span.end)}
