"""One answer for each training loop of a text: verified, wrong or unknown, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.analysis.source import Problem, Source
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import Diagnostic, LoopVerdict
from gradlint.simulate.simulation import Simulation
from gradlint.simulate.verdicts import Answer, Verdict, verdicts

_WORDS = {Answer.VERIFIED: "verified", Answer.WRONG: "wrong", Answer.UNKNOWN: "unknown"}
_STRENGTH = ("verified", "unknown", "wrong")
"""Of several answers for one loop, as several optimizers give, the last of these is the loop's."""


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
            if known is None or _STRENGTH.index(each.answer) > _STRENGTH.index(known.answer):
                by_line[each.line] = each
    return tuple(by_line[line] for line in sorted(by_line))


def _of_loop(verdict: Verdict, simulation: Simulation, whole: Source, found: Sequence[Diagnostic]) -> LoopVerdict:
    first, last = _rows(verdict.loop if verdict.loop is not None else simulation.root, whole)
    touched = {*range(first, last + 1), *_touched(verdict, simulation, whole)}
    codes = {each.code for each in found if each.span.start.row in touched}
    codes |= {fault.code for fault in verdict.faults} if verdict.answer is Answer.WRONG and not codes else set()
    if codes:
        return LoopVerdict(first, last, "wrong", tuple(sorted(codes)))
    row = whole.row_of(verdict.node) if verdict.node is not None else None
    return LoopVerdict(first, last, _WORDS[verdict.answer], reason=verdict.reason, reason_line=row or 0)


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
