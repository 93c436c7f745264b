"""Checks one text: parse it, simulate its loops, run the rules, and locate their findings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from gradlint.analysis.arms import of_all_arms
from gradlint.analysis.located import Located
from gradlint.analysis.loop_verdicts import loop_verdicts
from gradlint.analysis.project import BARE, Project
from gradlint.analysis.several import place_of, render_all, text_edits
from gradlint.analysis.source import Problem, Source, read
from gradlint.analysis.spoken import doubted_by
from gradlint.analysis.text_changes import Change, Unrenderable
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import Applicability, Diagnostic, LoopVerdict, Place, Related, Span, TextEdit, TextFix, unreadable
from gradlint.finding import Finding, Note, no_fix, not_safe
from gradlint.model.file import TrainingFile, read_file
from gradlint.model.page import Page
from gradlint.rule import Rule
from gradlint.simulate.faults import WORTH_KNOWING
from gradlint.suppression.unused import holds_directives, unused
from gradlint.timings import stage


@dataclass(frozen=True, eq=False)
class Analysis:
    """The findings in a text, sorted by position, and the simulated runs they used, if any."""

    located: tuple[Located, ...]
    runs: Validator | None = None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(each.diagnostic for each in self.located)

    def loops(self, reported: Sequence[Diagnostic], filename: str) -> tuple[LoopVerdict, ...]:
        """Return the verdict on each training loop, given the findings that are reported."""
        return loop_verdicts(self.runs, reported, filename) if self.runs is not None else ()


def analyze(text: str, filename: str, rules: Sequence[Rule], project: Project = BARE) -> tuple[Diagnostic, ...]:
    """Return all findings in a decoded text, sorted. A text that does not parse gives a single GRD000."""
    return analysis(text, filename, rules, project=project).diagnostics


def examine(
    text: str,
    filename: str,
    rules: Sequence[Rule],
    reader: Callable[[str], Source | Problem] | None = None,
    project: Project = BARE,
) -> tuple[Located, ...]:
    """Like `analyze`, but each finding comes with the text changes of its fix."""
    return analysis(text, filename, rules, reader, project).located


def analysis(
    text: str,
    filename: str,
    rules: Sequence[Rule],
    reader: Callable[[str], Source | Problem] | None = None,
    project: Project = BARE,
) -> Analysis:
    """Analyse a text. `reader` replaces the fast path. The tests pass the plain reader to compare the two.

    `project` holds what is known besides the text.
    """
    try:
        return _analysis(text, filename, rules, reader, project)
    except RecursionError:
        return Analysis((Located(unreadable(filename, 1, 1, "the code is nested too deeply to be checked")),))


def _analysis(
    text: str, filename: str, rules: Sequence[Rule], reader: Callable[[str], Source | Problem] | None, project: Project
) -> Analysis:
    runs = any(rule.shown is not None for rule in rules)
    source = read(text, project.taught, runs=runs) if reader is None else reader(text)
    if isinstance(source, Problem):
        return Analysis((Located(unreadable(filename, source.row, source.column, source.message)),))
    with stage("model"):
        page = Page(source.text, source.row_of)
        file = read_file(source.statements, project.taught, page, project.settings) if source.slices else None
    with stage("rules"):
        remarked = [rule for rule in rules if rule.peers is not None and holds_directives(text)]
        # Whether a comment is needed, rules that are not selected say as well.
        validator = Validator(source, project, frozenset() if remarked else WORTH_KNOWING - {each.code for each in rules})
        located = _located(file, validator, filename, rules)
        for rule in remarked:
            located += _remarked(rule, located, file, validator, filename, {each.code for each in rules})
    return Analysis(tuple(sorted(located, key=lambda each: each.diagnostic)), validator if validator.asked(rules) else None)


def _located(file: TrainingFile | None, validator: Validator, filename: str, rules: Sequence[Rule]) -> list[Located]:
    """The findings of the rules, at most one per rule and position. A file with nothing relevant has none."""
    located: dict[tuple[str, Place], Located] = {}
    if file is not None:
        _add(located, ((rule, finding) for rule in rules for finding in rule.check(file)), validator, validator.source, filename)
    for rule, finding, whole in validator.shown(rules):
        _add(located, [(rule, finding)], validator, whole, filename)
    _take_along(located)
    return list(of_all_arms(list(located.values()), lambda: validator.whole))


def _take_along(located: dict[tuple[str, Place], Located]) -> None:
    """Give a finding without a fix the fix of another finding of the same rule, if that one deletes the code in question."""
    for key in [each for each in located if located[each].diagnostic.fix is None]:
        other = next((each for each in located.values() if _takes_along(each, *key)), None)
        if other is not None:
            told = replace(located[key].diagnostic, fix=other.diagnostic.fix, note=other.diagnostic.note)
            located[key] = replace(located[key], diagnostic=told, changes=other.changes)


def _takes_along(each: Located, code: str, place: Place) -> bool:
    """Whether the fix of this finding deletes the code that another finding of the same rule is about."""
    fix = each.diagnostic.fix if each.diagnostic.code == code else None
    return fix is not None and any(edit.span.start <= place < edit.span.end and not edit.content for edit in fix.edits)


def _add(
    located: dict[tuple[str, Place], Located],
    findings: Iterable[tuple[Rule, Finding]],
    validator: Validator,
    source: Source,
    filename: str,
) -> None:
    """Locate findings on nodes of a source, and keep the first one at each position."""
    for rule, finding in findings:
        span = _span(source, finding.at)
        if span is not None and (rule.code, span.start) not in located:
            located[rule.code, span.start] = _locate(rule, finding, validator, source, filename, span)


def _remarked(
    rule: Rule, located: Sequence[Located], file: TrainingFile | None, validator: Validator, filename: str, asked: set[str]
) -> Iterator[Located]:
    """Report unused suppression comments, judged against the findings of all rules, including those not selected."""
    peers, source = rule.peers or (), validator.source
    others = _located(file, validator, filename, [each for each in peers if each.code not in asked])
    for remark in unused(source.text, [each.diagnostic for each in (*located, *others)], peers):
        start, end, content = remark.cut
        fix = TextFix(remark.cure, Applicability.SAFE, (TextEdit(place_of(source, start, end), content),))
        span = place_of(source, remark.start, remark.end)
        header, *more = remark.told
        diagnostic = Diagnostic(filename, span, rule.code, rule.name, header, rule.severity, fix, reason="; ".join(more))
        yield Located(diagnostic, (Change(start, end, content),))


def _locate(rule: Rule, finding: Finding, validator: Validator, source: Source, filename: str, span: Span) -> Located:
    fix, changes, note = _proven(rule, finding, validator, source, span.start.row)
    related = tuple(Related(place, message) for node, message in finding.related if (place := _span(source, node)) is not None)
    shown = {span.start.row, *(each.span.start.row for each in related)}
    related += _in_the_way(note, "this rules out a fix" if fix is None else "this may make the fix wrong", source, shown)
    reason = "; ".join(each for each in (finding.reason, *_elsewhere(finding, validator, source)) if each)
    diagnostic = Diagnostic(
        filename,
        span,
        rule.code,
        rule.name,
        finding.message,
        rule.severity,
        fix,
        related,
        note.text if note else None,
        reason=reason,
    )
    return Located(diagnostic, changes)


def _in_the_way(note: Note | None, label: str, source: Source, shown: Collection[int]) -> tuple[Related, ...]:
    """The code that is the reason why there is no safe fix, unless its row is shown already."""
    place = _span(source, note.at) if note is not None and note.at is not None else None
    return (Related(place, label),) if place is not None and place.start.row not in shown else ()


def _elsewhere(finding: Finding, validator: Validator, source: Source) -> Iterator[str]:
    """The related places of a finding that are in other files."""
    neighbours = validator.project.neighbours
    for node, message in finding.related if neighbours is not None else ():
        place = neighbours.place(node) if neighbours is not None and _span(source, node) is None else None
        if place is not None:
            yield f"{message}: `{place}`"


def _proven(
    rule: Rule, finding: Finding, validator: Validator, source: Source, row: int
) -> tuple[TextFix | None, tuple[Change, ...], Note | None]:
    """Return the fix of a finding if simulation confirms its promise, and a note if the fix is withheld or unsafe."""
    if finding.fix is None:
        return None, (), finding.note
    try:
        made = render_all(finding.fix.edits, source, validator.other)
    except Unrenderable as reason:
        return None, (), no_fix(str(reason))
    applicability, note = finding.fix.applicability, finding.note
    if rule.simulated:
        seen = validator.comparison(
            rule.code, finding.fix.promise or rule.promise, made, row, safe=applicability is Applicability.SAFE
        )
        if seen.refused:
            return None, (), no_fix(seen.refused, validator.original(seen.at))
        if seen.unseen and applicability is Applicability.SAFE:
            applicability, note = Applicability.UNSAFE, note or not_safe(seen.unseen)
    doubt = doubted_by(rule.code, source.text) if applicability is Applicability.SAFE else ""
    if doubt:
        applicability, note = Applicability.UNSAFE, note or not_safe(doubt)
    elsewhere = tuple(each.edits for each in made.elsewhere)
    return TextFix(finding.fix.message, applicability, text_edits(source, made.changes), elsewhere), made.changes, note


def _span(source: Source, node: cst.CSTNode) -> Span | None:
    found = source.span(node)
    return place_of(source, *found) if found is not None else None
