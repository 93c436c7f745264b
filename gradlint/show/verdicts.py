"""What the rules find, tied to the events of a loop: the picture accuses what `gradlint check` reports, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst

from gradlint.analysis.loop_verdicts import loop_verdicts
from gradlint.analysis.source import Source
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import Diagnostic, Place, Span
from gradlint.finding import Finding
from gradlint.fixes.shared import guards_of
from gradlint.model.types import Boundary, Cadence, Event, Kind, TrainingFile, TrainingLoop
from gradlint.rule import Rule
from gradlint.show.reading import Reading
from gradlint.suppression.comments import keep

CALLS = {
    "GRD101": Kind.BACKWARD,
    "GRD106": Kind.REPORT,
    "GRD203": Kind.ZERO_GRAD,
    "GRD204": Kind.OPTIMIZER_STEP,
    "GRD205": Kind.OPTIMIZER_STEP,
    "GRD206": Kind.ZERO_GRAD,
    "GRD301": Kind.CLIP,
    "GRD302": Kind.CLIP,
    "GRD303": Kind.CLIP,
    "GRD304": Kind.UNSCALE,
    "GRD305": Kind.SCALER_UPDATE,
    "GRD306": Kind.OPTIMIZER_STEP,
    "GRD307": Kind.OPTIMIZER_STEP,
    "GRD308": Kind.CLIP,
    "GRD309": Kind.CLIP,
    "GRD401": Kind.SCHEDULER_STEP,
    "GRD403": Kind.SCHEDULER_STEP,
    "GRD404": Kind.EMA_UPDATE,
    "GRD601": Kind.BACKWARD,
    "GRD602": Kind.NO_SYNC,
    "GRD603": Kind.NO_SYNC,
}
"""The rules that point at a call, and what the call does."""
DIVISORS = frozenset({"GRD102", "GRD103", "GRD104", "GRD105"})
"""The rules that point at a division of the loss, or at a term of it."""
GUARDS = frozenset({"GRD103", "GRD201", "GRD202"})
"""The rules that point at the test of a window's boundary."""
BESIDE = frozenset(
    "GRD001 GRD107 GRD108 GRD207 GRD208 GRD209 GRD210 GRD211 GRD402 GRD405 GRD406 GRD407 GRD501 GRD502 GRD503 GRD504 GRD701 GRD702 GRD703 "
    "GRD704".split()
)
"""The rules about what happens once, before training starts, to no event at all, or as the author may mean it."""


@dataclass(frozen=True, eq=False)
class Charge:
    """A finding at a node; `loop` is the one it is about, or None for a rule that judges the whole file."""

    code: str
    name: str
    node: cst.CSTNode
    row: int
    loop: TrainingLoop | None


def charges(model: TrainingFile, reading: Reading, rules: Sequence[Rule[Any]], runs: Validator) -> tuple[Charge, ...]:
    """Everything that the rules find and no comment silences, by place."""
    source = reading.source
    found = [
        (diagnostic, Charge(rule.code, rule.name, finding.at, diagnostic.span.start.row, loop))
        for rule, loop, finding in _findings(model, rules)
        if (diagnostic := _located(rule, finding, source, reading.filename)) is not None
        and not runs.refutes(rule.code, diagnostic.span.start)
    ]
    known = [(charge.code, charge.row) for _, charge in found]
    drawn = {source.span(event.node): event.node for loop in model.loops for event in loop.events}
    for rule, finding, whole in runs.shown(rules, known):
        diagnostic = _located(rule, finding, whole, reading.filename)
        if diagnostic is not None:
            # The runs have nodes of their own for the same call.
            node = drawn.get(whole.span(finding.at), finding.at) if rule.told_by_runs else finding.at
            found.append((diagnostic, Charge(rule.code, rule.name, node, diagnostic.span.start.row, None)))
    kept = {id(each) for each in keep(reading.source.text, tuple(diagnostic for diagnostic, _ in found))}
    spoken = [(diagnostic, charge) for diagnostic, charge in found if id(diagnostic) in kept]
    return tuple(charge for _, charge in sorted(spoken, key=lambda pair: pair[0]))


def answers(loops: Sequence[TrainingLoop], reading: Reading, runs: Validator) -> Iterator[str]:
    """What is known of each loop where no rule finds anything in it: verified, or unknown and why."""
    found = loop_verdicts(runs, ())
    for loop in loops:
        span = reading.source.span(loop.node)
        rows = range(*(reading.source.row_column(offset)[0] for offset in span)) if span is not None else range(0)
        own = [each for each in found if each.line in rows]
        told = next((each for each in own if each.answer != "verified"), own[0] if own else None)
        if told is None:
            yield "unknown: no simulated run comes to it"
        elif told.answer == "wrong":
            yield "unknown: a comment silences what the runs find"
        else:
            yield told.told(reading.place(told.reason_line or told.line).words)


def _findings(model: TrainingFile, rules: Sequence[Rule[Any]]) -> Iterator[tuple[Rule[Any], TrainingLoop | None, Finding]]:
    for rule in rules:
        for subject in (model,) if rule.per_file else model.loops:
            for finding in rule.check(subject):
                yield rule, subject if isinstance(subject, TrainingLoop) else None, finding


def _located(rule: Rule[Any], finding: Finding, source: Source, filename: str) -> Diagnostic | None:
    span = source.span(finding.at)
    if span is None:
        return None
    start, end = (Place(*source.row_column(offset)) for offset in span)
    return Diagnostic(filename, Span(start, end), rule.code, rule.name, finding.message, rule.severity)


def accused(charge: Charge, loop: TrainingLoop) -> tuple[Event, ...]:
    """The events of a loop that a finding is about; none where it is about something else."""
    if charge.loop is not None and charge.loop is not loop:
        return ()
    if charge.code in BESIDE:
        return ()
    kind = CALLS.get(charge.code)
    calls = tuple(e for e in loop.events if e.node is charge.node and (kind is None or e.kind is kind))
    if calls and charge.loop is None and not _lacks(charge.code, loop):
        return ()
    if not calls and charge.code in DIVISORS:
        calls = _given(charge.node, loop)
    return calls or (_guarded(charge.node, loop) if charge.code in GUARDS else ())


def _lacks(code: str, loop: TrainingLoop) -> bool:
    """Whether a rule of the whole file is about this loop: the helper that steps may serve several."""
    absent = {"GRD205": Kind.ZERO_GRAD, "GRD307": Kind.SCALER_UPDATE}.get(code)
    return absent is None or loop.first(absent) is None


def _given(node: cst.CSTNode, loop: TrainingLoop) -> tuple[Event, ...]:
    """The backward passes to which a division, or a term, belongs."""
    return tuple(
        event
        for event in loop.all(Kind.BACKWARD)
        if event.scale is not None
        and (
            any(division.node is node for division in event.scale.divisions)
            or any(term is node for term in event.scale.undivided_terms)
        )
    )


def _guarded(node: cst.CSTNode, loop: TrainingLoop) -> tuple[Event, ...]:
    """What runs under a boundary, and under the other guards of its window."""
    boundary = next((e.boundary for e in loop.events if e.boundary is not None and e.boundary.test is node), None)
    if boundary is None:
        return ()
    guards = {_identity(each) for each in guards_of(loop, boundary)}
    paced = (Cadence.PER_UPDATE, Cadence.INSIDE_WINDOW)
    first = min(event.index for event in loop.all(Kind.BACKWARD))
    return tuple(
        event
        for event in loop.events
        if event.boundary is not None
        and _identity(event.boundary) in guards
        and event.cadence in paced
        and (event.index >= first or event.kind is Kind.NO_SYNC)
    )


def _identity(boundary: Boundary) -> int:
    return id(boundary.modulus or boundary.test)
