"""Holds each fix to its promise before it is offered, by a simulation of the text before and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from gradlint.analysis.source import Problem, Source, read
from gradlint.analysis.text_changes import Change, apply
from gradlint.model.names.vocabulary import Taught
from gradlint.simulate.compare import Comparison, compare
from gradlint.simulate.promise import Promise
from gradlint.simulate.simulation import Simulation, simulate


class Validator:
    """Judges fixes of one text; the text itself is simulated once, when the first fix is."""

    def __init__(self, source: Source, taught: Taught, reader: Callable[[str], Source | Problem] | None = None) -> None:
        self.source = source
        self.taught = taught
        self.reader = reader or (lambda text: read(text, taught))

    @cached_property
    def before(self) -> tuple[Simulation, ...]:
        """The runs of the text as it is."""
        return simulate(self.source.statements, self.taught)

    def comparison(self, code: str, promise: Promise, changes: Sequence[Change]) -> Comparison:
        """What simulation says of the text with some changes, against the text without them."""
        repaired = self.reader(apply(self.source.text, tuple(changes)))
        if isinstance(repaired, Problem):
            return Comparison(refused="the repaired text would not parse")
        return compare(self.before, simulate(repaired.statements, self.taught), code, promise)
