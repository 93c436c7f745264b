"""From text to diagnostics: read, build the model once, ask every rule, locate what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import libcst as cst

from gradlint.analysis.arms import of_all_arms
from gradlint.analysis.caution import careful
from gradlint.analysis.located import Located
from gradlint.analysis.source import Problem, Source, read
from gradlint.analysis.text_changes import Change, Unrenderable, render
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import Applicability, Diagnostic, Place, Related, Span, TextEdit, TextFix, unreadable
from gradlint.finding import Finding
from gradlint.model.build import build
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.model.page import Page
from gradlint.model.types import TrainingFile
from gradlint.rule import Rule
from gradlint.suppression.unused import holds_directives, unused
from gradlint.timings import stage


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
        model = build(source.statements, taught, Page(source.text, source.row_of)) if source.slices else None
    with stage("rules"):
        validator = Validator(source, taught)
        located = _located(model, validator, filename, rules)
        for rule in rules:
            if rule.peers is not None and holds_directives(text):
                located += _remarked(rule, located, model, validator, filename, {each.code for each in rules})
    return tuple(sorted(located, key=lambda each: each.diagnostic))


def _located(model: TrainingFile | None, validator: Validator, filename: str, rules: Sequence[Rule[Any]]) -> list[Located]:
    """What the rules find, each place once a rule; nothing in a file of which nothing matters."""
    located: dict[tuple[str, Place], Located] = {}
    if model is None:
        return []
    _add(located, _findings(model, rules), validator, validator.source, filename)
    located = {key: each for key, each in located.items() if not validator.refutes(*key)}
    known = [(code, place.row) for code, place in located]
    for rule, finding, whole in validator.shown(rules, known):
        _add(located, [(rule, finding)], validator, whole, filename)
    return list(of_all_arms(list(located.values()), lambda: validator.whole))


def _add(
    located: dict[tuple[str, Place], Located],
    findings: Iterable[tuple[Rule[Any], Finding]],
    validator: Validator,
    source: Source,
    filename: str,
) -> None:
    """Locate findings whose nodes are those of a source, and keep the first at each place."""
    for rule, finding in findings:
        each = _locate(rule, finding, validator, source, filename)
        if each is not None:
            located.setdefault((rule.code, each.diagnostic.span.start), each)


def _remarked(
    rule: Rule[Any], located: Sequence[Located], model: TrainingFile | None, validator: Validator, filename: str, asked: set[str]
) -> Iterator[Located]:
    """What is wrong with the suppression comments, given what all rules find, those too that were not asked."""
    peers, source = rule.peers or (), validator.source
    others = _located(model, validator, filename, [each for each in peers if each.code not in asked])
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
                yield rule, careful(finding, model.loops)
        else:
            for loop in model.loops:
                for finding in rule.check(loop):
                    yield rule, careful(finding, (loop,))


def _locate(rule: Rule[Any], finding: Finding, validator: Validator, source: Source, filename: str) -> Located | None:
    span = _span(source, finding.at)
    if span is None:
        return None
    fix, changes, note = _proven(rule, finding, validator, source, span.start.row)
    related = tuple(Related(place, message) for node, message in finding.related if (place := _span(source, node)) is not None)
    diagnostic = Diagnostic(filename, span, rule.code, rule.name, finding.message, rule.severity, fix, related, note)
    return Located(diagnostic, changes)


def _proven(
    rule: Rule[Any], finding: Finding, validator: Validator, source: Source, row: int
) -> tuple[TextFix | None, tuple[Change, ...], str | None]:
    """The fix of a finding, as far as simulation shows that it does what it promises; and the note that says why it does not."""
    if finding.fix is None:
        return None, (), finding.note
    try:
        changes = render(finding.fix.edits, source)
    except Unrenderable as reason:
        return None, (), finding.note or f"no fix is offered: {reason}"
    applicability, note = finding.fix.applicability, finding.note
    if rule.simulated:
        seen = validator.comparison(rule.code, rule.promise, changes, row)
        if seen.refused:
            return None, (), f"no fix is offered: {seen.refused}"
        if seen.unseen and applicability is Applicability.SAFE:
            applicability, note = Applicability.UNSAFE, note or f"the fix is not applied as a safe one: {seen.unseen}"
    edits = tuple(TextEdit(_place(source, c.start, c.end), c.content) for c in changes)
    return TextFix(finding.fix.message, applicability, edits), changes, note


def _span(source: Source, node: cst.CSTNode) -> Span | None:
    found = source.span(node)
    return _place(source, *found) if found is not None else None


def _place(source: Source, start: int, end: int) -> Span:
    return Span(Place(*source.row_column(start)), Place(*source.row_column(end)))
