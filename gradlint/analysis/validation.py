"""Holds each fix to its promise before it is offered, by a simulation of the text before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import libcst as cst

from gradlint.analysis.source import Problem, Source, read_whole
from gradlint.analysis.text_changes import Change, apply
from gradlint.analysis.traced import shown
from gradlint.diagnostic import Place
from gradlint.finding import Finding
from gradlint.model.names.vocabulary import Taught
from gradlint.rule import Rule
from gradlint.simulate.compare import Comparison, compare
from gradlint.simulate.promise import Promise
from gradlint.simulate.refuting import REFUTABLE, refuted
from gradlint.simulate.roots import backwards
from gradlint.simulate.scene import scenes
from gradlint.simulate.simulation import Simulation, simulate


class Validator:
    """Asks the runs of one text what is wrong with it, and what its fixes do; the text itself is simulated once, when first asked.

    It reads the whole text, however little of it the rules were asked about: a hook, a property or a data set may lie anywhere.
    """

    def __init__(self, source: Source, taught: Taught) -> None:
        self.source = source
        self.taught = taught

    @cached_property
    def whole(self) -> Source | Problem:
        """The whole text, parsed."""
        return read_whole(self.source.text)

    @cached_property
    def before(self) -> tuple[Simulation, ...]:
        """The runs of the text as it is."""
        return () if isinstance(self.whole, Problem) else simulate(self.whole.statements, self.taught)

    def refutes(self, code: str, place: Place) -> bool:
        """Whether the runs come to the place of a finding, understand its windows, and show no such fault."""
        return code in REFUTABLE and refuted(
            code, lambda node: self._row_of(node) == place.row, lambda node: self._holds(node, place.row), self.before
        )

    def shown(self, rules: Sequence[Rule[Any]], known: Iterable[tuple[str, int]]) -> Iterator[tuple[Rule[Any], Finding, Source]]:
        """What only the runs show to be wrong, given the codes and rows of what is known, with the source of its nodes."""
        if not any(rule.shown is not None for rule in rules) or not backwards(self.source.statements):
            return
        whole = self.whole
        if isinstance(whole, Source):
            for rule, finding in shown(list(scenes(self.before, whole.statements)), rules, known, whole):
                yield rule, finding, whole

    def comparison(self, code: str, promise: Promise, changes: Sequence[Change], row: int) -> Comparison:
        """What simulation says of the text with some changes, against the text without them; `row` is where the finding is."""
        after = self._runs(apply(self.source.text, tuple(changes)))
        if after is None:
            return Comparison(refused="the repaired text would not parse")
        return compare(self.before, after, code, promise, lambda node: self._row_of(node) == row)

    def _holds(self, node: cst.CSTNode, row: int) -> bool:
        span = None if isinstance(self.whole, Problem) else self.whole.span(node)
        return span is not None and self.source.row_column(span[0])[0] <= row <= self.source.row_column(span[1])[0]

    def _row_of(self, node: cst.CSTNode) -> int | None:
        return None if isinstance(self.whole, Problem) else self.whole.row_of(node)

    def _runs(self, text: str) -> tuple[Simulation, ...] | None:
        """The runs of a text; None where it does not parse."""
        source = read_whole(text)
        return None if isinstance(source, Problem) else simulate(source.statements, self.taught)
