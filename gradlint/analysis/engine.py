"""From text to diagnostics: read, build the model once, ask every rule, locate what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst

from gradlint.analysis.source import Problem, Source, read
from gradlint.analysis.text_changes import Change, Unrenderable, render
from gradlint.diagnostic import Applicability, Diagnostic, Place, Related, Span, TextEdit, TextFix, unreadable
from gradlint.finding import Finding
from gradlint.model.build import build
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.model.types import TrainingFile
from gradlint.rule import Rule
from gradlint.suppression.unused import holds_directives, unused
from gradlint.timings import stage


@dataclass(frozen=True)
class Located:
    """A diagnostic together with the changes that its fix makes to the text."""

    diagnostic: Diagnostic
    changes: tuple[Change, ...] = ()


def analyze(text: str, filename: str, rules: Sequence[Rule[Any]], taught: Taught = UNTAUGHT) -> tuple[Diagnostic, ...]:
    """Everything the rules find in a decoded text, sorted; a text that does not parse gives one GRD000."""
    return tuple(each.diagnostic for each in examine(text, filename, rules, taught=taught))


def examine(
    text: str,
    filename: str,
    rules: Sequence[Rule[Any]],
    reader: Callable[[str], Source | Problem] | None = None,
    taught: Taught = UNTAUGHT,
) -> tuple[Located, ...]:
    """As `analyze`, with the changes of every fix; `reader` stands in for the fast path: the plain one, to compare.

    `taught` are the names that a project's configuration adds to the field's own.
    """
    try:
        return _examined(text, filename, rules, reader, taught)
    except RecursionError:
        return (Located(unreadable(filename, 1, 1, "the code is nested too deeply to be checked")),)


def _examined(
    text: str, filename: str, rules: Sequence[Rule[Any]], reader: Callable[[str], Source | Problem] | None, taught: Taught
) -> tuple[Located, ...]:
    source = read(text, taught) if reader is None else reader(text)
    if isinstance(source, Problem):
        return (Located(unreadable(filename, source.row, source.column, source.message)),)
    with stage("model"):
        model = build(source.statements, taught) if source.slices else None
    with stage("rules"):
        located = _located(model, source, filename, rules)
        for rule in rules:
            if rule.peers is not None and holds_directives(text):
                located += _remarked(rule, located, model, source, filename, {each.code for each in rules})
    return tuple(sorted(located, key=lambda each: each.diagnostic))


def _located(model: TrainingFile | None, source: Source, filename: str, rules: Sequence[Rule[Any]]) -> list[Located]:
    """What the rules find, each place once a rule; nothing in a file of which nothing matters."""
    located: dict[tuple[str, Place], Located] = {}
    for rule, finding in _findings(model, rules) if model is not None else ():
        each = _locate(rule, finding, source, filename)
        if each is not None:
            located.setdefault((rule.code, each.diagnostic.span.start), each)
    return list(located.values())


def _remarked(
    rule: Rule[Any], located: Sequence[Located], model: TrainingFile | None, source: Source, filename: str, asked: set[str]
) -> Iterator[Located]:
    """What is wrong with the suppression comments, given what all rules find, those too that were not asked."""
    peers = rule.peers or ()
    others = _located(model, source, filename, [each for each in peers if each.code not in asked])
    for remark in unused(source.text, [each.diagnostic for each in (*located, *others)], peers):
        start, end, content = remark.cut
        fix = TextFix(remark.cure, Applicability.SAFE, (TextEdit(_place(source, start, end), content),))
        span = _place(source, remark.start, remark.end)
        diagnostic = Diagnostic(filename, span, rule.code, rule.name, remark.message, rule.severity, fix)
        yield Located(diagnostic, (Change(start, end, content),))


def _findings(model: TrainingFile, rules: Sequence[Rule[Any]]) -> Iterator[tuple[Rule[Any], Finding]]:
    for rule in rules:
        if rule.per_file:
            for finding in rule.check(model):
                yield rule, finding
        else:
            for loop in model.loops:
                for finding in rule.check(loop):
                    yield rule, finding


def _locate(rule: Rule[Any], finding: Finding, source: Source, filename: str) -> Located | None:
    span = _span(source, finding.at)
    if span is None:
        return None
    note = finding.note
    fix: TextFix | None = None
    changes: tuple[Change, ...] = ()
    if finding.fix is not None:
        try:
            changes = render(finding.fix.edits, source)
            edits = tuple(TextEdit(_place(source, c.start, c.end), c.content) for c in changes)
            fix = TextFix(finding.fix.message, finding.fix.applicability, edits)
        except Unrenderable as reason:
            note = note or f"no fix is offered: {reason}"
    related = tuple(Related(place, message) for node, message in finding.related if (place := _span(source, node)) is not None)
    diagnostic = Diagnostic(filename, span, rule.code, rule.name, finding.message, rule.severity, fix, related, note)
    return Located(diagnostic, changes)


def _span(source: Source, node: cst.CSTNode) -> Span | None:
    found = source.span(node)
    return _place(source, *found) if found is not None else None


def _place(source: Source, start: int, end: int) -> Span:
    return Span(Place(*source.row_column(start)), Place(*source.row_column(end)))
