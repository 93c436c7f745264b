"""The Reviewdog Diagnostic Format, one JSON object: https://github.com/reviewdog/reviewdog/tree/master/proto/rdf.

Columns count bytes of UTF-8. A fix is one suggestion of whole lines, because GitHub can only replace whole lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gradlint.diagnostic import Applicability, Diagnostic, Place, Span, TextFix
from gradlint.report.change import edited
from gradlint.report.found import Report
from gradlint.report.lines import in_cell, one_line
from gradlint.report.machine import to_text
from gradlint.report.pages import HOME, page_url

_NEWLINE = re.compile(r"\r\n|\r|\n")
_CODE = re.compile(r"(`[^`]+`)")
_MARKUP = re.compile(r"[\\`*_\[\]<>|~&!]")

Object = dict[str, Any]


def rdjson(found: Report) -> str:
    """Return the whole document, in ASCII."""
    lines = {place: _NEWLINE.split(text) for place, text in found.texts.items()}
    diagnostics = [_diagnostic(each, lines.get((each.filename, each.cell), ()), found) for each in found.diagnostics]
    failures = [
        {
            "message": _markdown(f"gradlint itself failed on this file: {one_line(why)}"),
            "location": {"path": found.path(filename)},
            "severity": "ERROR",
        }
        for filename, why in found.failures
    ]
    return to_text({"source": {"name": "gradlint", "url": HOME}, "diagnostics": [*diagnostics, *failures]})


def _diagnostic(each: Diagnostic, lines: Sequence[str], found: Report) -> Object:
    location: Object = {"path": found.path(each.filename), "range": _range(each, each.span, lines, found)}
    fix = each.fix
    suggested = fix is not None and each.cell is None and (found.unsafe or fix.applicability is Applicability.SAFE)
    return {
        "message": "\n".join(_message(each)),
        "location": location,
        "severity": each.severity.value.upper(),
        "code": {"value": each.code, "url": page_url(each.code)},
        **({"suggestions": list(_suggestions(fix, lines))} if suggested and fix is not None else {}),
    }


def _message(each: Diagnostic) -> Iterator[str]:
    """Yield the lines of the comment, which is read as Markdown."""
    yield _markdown(f"{in_cell(each)}{one_line(each.sentence)}")
    if each.fix is not None:
        unsafe = " (unsafe fix)" if each.fix.applicability is Applicability.UNSAFE else ""
        yield f"\nhelp: {_markdown(one_line(each.fix.message))}{unsafe}"
    if each.note:
        yield f"\nnote: {_markdown(one_line(each.note))}"


def _suggestions(fix: TextFix, lines: Sequence[str]) -> Iterator[Object]:
    """Yield the lines that a fix changes, from its first to its last edit, if its edits are about this text."""
    if not fix.edits or max(edit.span.end.row for edit in fix.edits) > len(lines):
        return
    first, last = min(edit.span.start.row for edit in fix.edits), max(edit.span.end.row for edit in fix.edits)
    new = edited(lines[first - 1 : last], first, fix.edits)
    yield {"range": {"start": {"line": first}, "end": {"line": last}}, "text": "\n".join(new)}


def _range(each: Diagnostic, span: Span, lines: Sequence[str], found: Report) -> Object:
    """Return a range of the file: whole lines in a notebook, because columns of the code mean nothing there."""
    if each.cell is None:
        return {"start": _position(span.start, lines), "end": _position(span.end, lines)}
    return {"start": {"line": found.line(each, span.start.row)}, "end": {"line": found.line(each, span.end.row)}}


def _position(place: Place, lines: Sequence[str]) -> Object:
    before = lines[place.row - 1][: place.column - 1] if place.row <= len(lines) else "." * (place.column - 1)
    return {"line": place.row, "column": len(before.encode("utf-8", "surrogatepass")) + 1}


def _markdown(text: str) -> str:
    """Return text in which only code in backticks is markup, and nobody is mentioned."""
    return "".join(part if index % 2 else _literal(part) for index, part in enumerate(_CODE.split(text)))


def _literal(text: str) -> str:
    escaped = _MARKUP.sub(lambda match: f"\\{match.group()}", text)
    return re.sub(r"([@#]|(?<=:)/(?=/)|www\b)", r"\1&#8203;", escaped)
