"""Converts findings to and from the plain lists of a cache. What is read back is checked, because anybody may have written it."""

from __future__ import annotations

from typing import Any

from gradlint.diagnostic import (
    ANSWERS,
    Applicability,
    Diagnostic,
    FileEdits,
    LoopVerdict,
    Place,
    Related,
    Severity,
    Span,
    TextEdit,
    TextFix,
)
from gradlint.repository.context import Context


class Damaged(ValueError):
    """Something is not what was written."""


def plain(diagnostic: Diagnostic) -> list[Any]:
    """Return a finding as lists, strings and numbers, without its file name."""
    fix = diagnostic.fix
    return [
        _plain_span(diagnostic.span),
        diagnostic.code,
        diagnostic.name,
        diagnostic.message,
        diagnostic.severity.value,
        None
        if fix is None
        else [
            fix.message,
            fix.applicability.value,
            _plain_edits(fix.edits),
            [[each.filename, _plain_edits(each.edits)] for each in fix.elsewhere],
        ],
        [[_plain_span(each.span), each.message] for each in diagnostic.related],
        diagnostic.note,
        diagnostic.reason,
    ]


def plain_loop(loop: LoopVerdict) -> list[Any]:
    """Return the verdict on a loop as a list, without its file name."""
    place = [loop.line, loop.last_line, loop.cell or 0, loop.reason_line, loop.reason_cell or 0]
    return [*place, loop.answer, list(loop.codes), loop.reason, loop.silenced, loop.steps, loop.engine]


def context_from(kept: Any) -> Context:
    """Return the context from its plain form. Raises Damaged."""
    try:
        followed, digest = kept
        return Context(tuple(map(_text, followed)), _text(digest))
    except (ValueError, TypeError) as error:
        raise Damaged from error


def loops_of(kept: Any, filename: str) -> tuple[LoopVerdict, ...]:
    """Return the verdicts from their plain form. Raises Damaged."""
    try:
        return tuple(_loop(each, filename) for each in kept)
    except (ValueError, TypeError) as error:
        raise Damaged from error


def _loop(kept: Any, filename: str) -> LoopVerdict:
    line, last, cell, row, row_cell, answer, codes, reason, silenced, steps, engine = kept
    if not all(type(each) is int for each in (line, last, cell, row, row_cell, steps)) or type(silenced) is not bool:
        raise Damaged
    if answer not in ANSWERS:
        raise Damaged
    rules = tuple(map(_text, codes))
    cells = (cell or None, row_cell or None)
    return LoopVerdict(filename, line, last, answer, rules, _text(reason), row, silenced, *cells, steps, _text(engine))


def diagnostics_of(kept: Any, filename: str) -> tuple[Diagnostic, ...]:
    """Return the findings from their plain form. Raises Damaged."""
    try:
        return tuple(_diagnostic(each, filename) for each in kept)
    except (ValueError, TypeError) as error:
        raise Damaged from error


def _plain_edits(edits: tuple[TextEdit, ...]) -> list[Any]:
    return [[_plain_span(each.span), each.content] for each in edits]


def _plain_span(span: Span) -> list[int]:
    return [span.start.row, span.start.column, span.end.row, span.end.column]


def _diagnostic(kept: Any, filename: str) -> Diagnostic:
    span, code, name, message, severity, fix, related, note, reason = kept
    return Diagnostic(
        filename,
        _span(span),
        _text(code),
        _text(name),
        _text(message),
        Severity(severity),
        None if fix is None else _fix(fix),
        tuple(Related(_span(where), _text(what)) for where, what in related),
        None if note is None else _text(note),
        reason=_text(reason),
    )


def _fix(kept: Any) -> TextFix:
    message, applicability, edits, elsewhere = kept
    parts = tuple(FileEdits(_text(path), _edits(each)) for path, each in elsewhere)
    return TextFix(_text(message), Applicability(applicability), _edits(edits), parts)


def _edits(kept: Any) -> tuple[TextEdit, ...]:
    return tuple(TextEdit(_span(span), _text(content)) for span, content in kept)


def _span(kept: Any) -> Span:
    row, column, last_row, last_column = kept
    if not all(type(each) is int and each > 0 for each in kept):
        raise Damaged
    return Span(Place(row, column), Place(last_row, last_column))


def _text(kept: Any) -> str:
    if type(kept) is not str:
        raise Damaged
    return kept
