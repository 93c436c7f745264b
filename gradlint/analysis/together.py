"""Whether fixes that are right one by one spoil each other: by a simulation of the text before and after all of them."""

from __future__ import annotations

from collections import Counter

from gradlint.analysis.source import Problem, read_whole
from gradlint.model.names.vocabulary import Taught
from gradlint.simulate.compare import places_of_each
from gradlint.simulate.faults import WORTH_KNOWING
from gradlint.simulate.simulation import RAISES, Simulation, simulate


def spoils(before: str, after: str, taught: Taught) -> bool:
    """Whether a repaired text has more faults of any kind than the text before, or does what PyTorch refuses."""
    runs, repaired = _runs(before, taught), _runs(after, taught)
    return bool(_counts(repaired) - _counts(runs)) or bool(_refused(repaired) - _refused(runs))


def _runs(text: str, taught: Taught) -> tuple[Simulation, ...]:
    source = read_whole(text)
    return () if isinstance(source, Problem) else simulate(source.statements, taught)


def _counts(simulations: tuple[Simulation, ...]) -> Counter[str]:
    """How many places have each fault."""
    return places_of_each(fault for each in simulations for fault in each.faults if fault.code not in WORTH_KNOWING)


def _refused(simulations: tuple[Simulation, ...]) -> frozenset[str]:
    """What the runs raise."""
    traces = [run.trace for each in simulations for run in each.runs]
    return frozenset().union(*(each.raises | ({each.ended} if each.ended.startswith(RAISES) else set()) for each in traces))
