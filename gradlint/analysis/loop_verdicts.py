"""One answer for each training loop of a text: verified, wrong or unknown, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.analysis.source import Problem, Source
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import ANSWERS, Diagnostic, LoopVerdict, Severity
from gradlint.model.syntax.expressions import walk_all
from gradlint.simulate.roots import backwards
from gradlint.simulate.simulation import Simulation, met_in
from gradlint.simulate.stops import TOO_LONG
from gradlint.simulate.verdicts import Answer, Verdict, verdicts

_OF_THE_TEXT = "GRD0"
"""How the codes of rules begin that judge a text or its comments, whatever it trains."""
_AROUND = (cst.For, cst.While, cst.FunctionDef)
_WORDS = {Answer.VERIFIED: "verified", Answer.WRONG: "wrong", Answer.UNKNOWN: "unknown"}


def loop_verdicts(validator: Validator, found: Sequence[Diagnostic]) -> tuple[LoopVerdict, ...]:
    """The answer for each loop that the runs of a text come to, by line; `found` is what the rules find in it."""
    whole = validator.whole
    if isinstance(whole, Problem):
        return ()
    by_line: dict[int, LoopVerdict] = {}
    for simulation in validator.before:
        for verdict in verdicts(simulation):
            each = _of_loop(verdict, simulation, whole, found)
            known = by_line.get(each.line)
            if known is not None and TOO_LONG in (known.reason, each.reason):
                # another way to the loop was followed to its end
                by_line[each.line] = each if known.reason == TOO_LONG else known
            elif known is None or ANSWERS.index(each.answer) > ANSWERS.index(known.answer):
                by_line[each.line] = each
    for each in _given_up(validator.before, whole):
        by_line.setdefault(each.line, each)
    for line, led in _among(validator, whole, found).items():
        if line in by_line and by_line[line].answer == "unknown":
            by_line[line] = led
    return tuple(by_line[line] for line in sorted(by_line))


def _among(validator: Validator, whole: Source, found: Sequence[Diagnostic]) -> dict[int, LoopVerdict]:
    """The answers for the loops of a file that the modules around it give, where all that lead to a loop give one.

    What is wrong and is reported in another file is no answer here.
    """
    given: dict[int, list[LoopVerdict]] = {}
    for simulation in validator.among:
        for verdict in verdicts(simulation):
            if verdict.loop is not None and whole.row_of(verdict.loop) is not None:
                each = _of_loop(verdict, simulation, whole, found)
                given.setdefault(each.line, []).append(each)
    return {
        line: max(answers, key=lambda each: ANSWERS.index(each.answer))
        for line, answers in given.items()
        if all(each.answer != "unknown" and not each.silenced for each in answers)
    }


def _given_up(simulations: Sequence[Simulation], whole: Source) -> Iterator[LoopVerdict]:
    """The loops, or functions, around the backward passes that no run comes to, where the steps did not suffice for one."""
    if not any(each.given_up for each in simulations):
        return
    met = met_in(simulations)
    unmet = [span[0] for call in backwards(whole.statements) if id(call) not in met and (span := whole.span(call)) is not None]
    around = [each for each in walk_all(whole.statements) if isinstance(each, _AROUND)] if unmet else []
    spans = [(each, span) for each in around if (span := whole.span(each)) is not None]
    for place in unmet:
        inside = [each for each, (start, end) in spans if start <= place < end]
        loops = [each for each in inside if not isinstance(each, cst.FunctionDef)]
        yield LoopVerdict(*_rows((loops or inside or [None])[-1], whole), "unknown", reason=TOO_LONG)


def _of_loop(verdict: Verdict, simulation: Simulation, whole: Source, found: Sequence[Diagnostic]) -> LoopVerdict:
    first, last = _rows(verdict.loop if verdict.loop is not None else simulation.root, whole)
    places = (node for fault in verdict.faults for node in (fault.place, fault.event.node))
    touched = {*range(first, last + 1), *_touched(verdict, simulation, whole), *map(whole.row_of, places)}
    codes = {each.code for each in found if each.span.start.row in touched and _is_wrong(each)}
    if codes:
        return LoopVerdict(first, last, "wrong", tuple(sorted(codes)))
    if verdict.answer is Answer.WRONG:
        return LoopVerdict(first, last, "wrong", tuple(sorted({fault.code for fault in verdict.faults})), silenced=True)
    row = whole.row_of(verdict.node) if verdict.node is not None else None
    return LoopVerdict(first, last, _WORDS[verdict.answer], reason=verdict.reason, reason_line=row or 0)


def _is_wrong(found: Diagnostic) -> bool:
    """Whether a finding says that a loop trains wrong, and not only what is worth knowing, or that a comment is idle."""
    return found.severity is not Severity.INFO and not found.code.startswith(_OF_THE_TEXT)


def _touched(verdict: Verdict, simulation: Simulation, whole: Source) -> Iterator[int]:
    """The rows of what happens in a loop: of helpers as well."""
    for event in simulation.main.trace.events:
        if verdict.loop is None or any(loop is verdict.loop for loop in event.loops):
            row = whole.row_of(event.node)
            if row is not None:
                yield row


def _rows(node: cst.CSTNode | None, whole: Source) -> tuple[int, int]:
    """The first and last row of a loop, or of all."""
    span = whole.span(node) if node is not None else None
    start, end = span if span is not None else (0, max(len(whole.text) - 1, 0))
    return whole.row_column(start)[0], whole.row_column(end)[0]
