"""Gives each training loop of a text a verdict: verified, wrong or unknown, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.analysis.loop_facts import engine_of, steps_of
from gradlint.analysis.source import Problem, Source
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import ANSWERS, Diagnostic, LoopVerdict, Severity
from gradlint.model.syntax.expressions import brief
from gradlint.simulate.engines.lightning import AUTOMATIC
from gradlint.simulate.roots import backwards_among
from gradlint.simulate.simulation import Simulation, foreign, met_in
from gradlint.simulate.stops import TOO_LONG
from gradlint.simulate.trace import What
from gradlint.simulate.verdicts import Answer, Verdict, verdicts

UNUSUAL = "gradlint reaches it only with other settings than the usual ones"
_OF_THE_TEXT = "GRD0"
"""Code prefix of rules that judge the text or its comments, not the training."""
_AROUND = (cst.For, cst.While, cst.FunctionDef)
_WORDS = {Answer.VERIFIED: "verified", Answer.WRONG: "wrong", Answer.UNKNOWN: "unknown"}


def loop_verdicts(validator: Validator, found: Sequence[Diagnostic], filename: str) -> tuple[LoopVerdict, ...]:
    """Return the verdict on each training loop of a text, by line. `found` are the findings in it."""
    whole = validator.whole
    if isinstance(whole, Problem):
        return ()
    judged = _Judged(validator, whole, found)
    return tuple(replace(each, filename=filename) for each in judged.loops())


def node_of(loop: cst.CSTNode | None, simulation: Simulation) -> cst.CSTNode:
    """The node that identifies a loop. For a backward pass outside of any loop, it is the root function or the call itself."""
    known = loop if loop is not None else simulation.root
    events = (event for run in simulation.runs for event in run.trace.of(What.BACKWARD))
    return known if known is not None else next(event.node for event in events if not event.loops)


def unreached(validator: Validator) -> list[cst.Call]:
    """The backward passes that no run reaches, not even a run from the modules around the text."""
    met = met_in((*validator.before, *validator.among))
    unmet = [call for call in backwards_among(validator.nodes) if id(call) not in met]
    return [] if unmet and foreign(validator.nodes) else unmet


class _Judged:
    """Judges the loops of one text."""

    def __init__(self, validator: Validator, whole: Source, found: Sequence[Diagnostic]) -> None:
        self.validator = validator
        self.whole = whole
        self.found = found

    def loops(self) -> list[LoopVerdict]:
        by_line: dict[int, LoopVerdict] = {}
        for simulation in self.validator.before:
            for verdict in verdicts(simulation):
                each = self._of_loop(verdict, simulation)
                known = by_line.get(each.line)
                if known is not None and TOO_LONG in (known.reason, each.reason):
                    # on another path, the loop was followed to its end
                    by_line[each.line] = each if known.reason == TOO_LONG else known
                elif known is None or ANSWERS.index(each.answer) > ANSWERS.index(known.answer):
                    by_line[each.line] = each
        for each in self._unusual():
            by_line.setdefault(each.line, each)
        among = self._among()
        for each in self._unreached():
            by_line.setdefault(each.line, each)
        for line, led in among.items():
            known = by_line.get(line)
            silenced = known is not None and known.silenced  # not by a comment: these runs refute it
            if silenced or (led.answer != "unknown" and (known is None or known.answer == "unknown")):
                by_line[line] = led
        return [by_line[line] for line in sorted(by_line)]

    def _among(self) -> dict[int, LoopVerdict]:
        """The verdicts from the runs of the surrounding modules that reach a loop.

        A fault that is reported in another file does not count.
        """
        given: dict[int, list[LoopVerdict]] = {}
        for simulation in self.validator.among:
            for verdict in verdicts(simulation):
                if verdict.loop is not None and self.whole.row_of(verdict.loop) is not None:
                    each = self._of_loop(verdict, simulation)
                    given.setdefault(each.line, []).append(each)
        return {
            line: max(answers, key=lambda each: ANSWERS.index(each.answer))
            for line, answers in given.items()
            if not any(each.silenced for each in answers)
        }

    def _unusual(self) -> Iterator[LoopVerdict]:
        """The loops that runs reach only with unusual settings."""
        for simulation in self.validator.before:
            for event in (event for run in simulation.runs for event in run.trace.of(What.BACKWARD)):
                if event.through != AUTOMATIC:
                    first, last = self._rows(node_of(event.loops[-1] if event.loops else None, simulation))
                    yield LoopVerdict("", first, last, "unknown", reason=UNUSUAL, reason_line=first)

    def _unreached(self) -> Iterator[LoopVerdict]:
        """The loops or functions around the backward passes that no run reaches."""
        unmet = unreached(self.validator)
        given_up = any(each.given_up for each in self.validator.before)
        outer = [each for each in self.validator.nodes if isinstance(each, _AROUND)] if unmet else []
        around = [(each, span) for each in outer if (span := self.whole.span(each)) is not None]
        for call in unmet:
            place = self.whole.span(call)
            if place is not None:
                inside = [each for each, (start, end) in around if start <= place[0] < end]
                loops = [each for each in inside if not isinstance(each, cst.FunctionDef)]
                first, last = self._rows((loops or inside or [call])[-1])
                reason = TOO_LONG if given_up else f"no simulated run reaches `{brief(call)}`"
                yield LoopVerdict("", first, last, "unknown", reason=reason, reason_line=self.whole.row_of(call) or 0)

    def _of_loop(self, verdict: Verdict, simulation: Simulation) -> LoopVerdict:
        trace = simulation.main.trace
        return replace(self._answer(verdict, simulation), steps=steps_of(verdict, trace), engine=engine_of(verdict, trace))

    def _answer(self, verdict: Verdict, simulation: Simulation) -> LoopVerdict:
        first, last = self._rows(node_of(verdict.loop, simulation))
        places = (node for fault in verdict.faults for node in (fault.place, fault.event.node))
        touched = {*range(first, last + 1), *self._touched(verdict, simulation), *map(self.whole.row_of, places)}
        faulty = {fault.code for fault in verdict.faults}
        here = [each for each in self.found if not each.code.startswith(_OF_THE_TEXT) and _is_of(each, touched, faulty)]
        codes = tuple(sorted({each.code for each in here}))
        if any(each.severity is not Severity.INFO for each in here):
            return LoopVerdict("", first, last, "wrong", codes)
        if verdict.answer is Answer.WRONG:
            return LoopVerdict("", first, last, "wrong", tuple(sorted(faulty)), silenced=True)
        row = self.whole.row_of(verdict.node) if verdict.node is not None else None
        return LoopVerdict("", first, last, _WORDS[verdict.answer], codes, verdict.reason, row or 0)

    def _touched(self, verdict: Verdict, simulation: Simulation) -> Iterator[int]:
        """The rows of the events of a loop, including those in helpers."""
        for event in simulation.main.trace.events:
            if verdict.loop is None or any(loop is verdict.loop for loop in event.loops):
                row = self.whole.row_of(event.node)
                if row is not None:
                    yield row

    def _rows(self, node: cst.CSTNode) -> tuple[int, int]:
        """The first and last row of a node, or of the whole text if the node is in another file."""
        start, end = self.whole.span(node) or (0, max(len(self.whole.text) - 1, 0))
        return self.whole.row_column(start)[0], self.whole.row_column(end)[0]


def _is_of(found: Diagnostic, touched: Collection[int | None], faulty: Collection[str]) -> bool:
    """Whether a finding belongs to a loop.

    It is on a line that the loop runs, or it reports a fault of the loop and a related place is on such a line.
    """
    if found.span.start.row in touched:
        return True
    return found.code in faulty and any(each.span.start.row in touched for each in found.related)
