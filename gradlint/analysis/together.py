"""Checks whether fixes that are right one by one conflict, by simulating the text before and after applying all of them."""

from __future__ import annotations

from collections import Counter

from gradlint.analysis.project import Project
from gradlint.analysis.source import Problem, read_for_runs
from gradlint.simulate.compare import places_of_each
from gradlint.simulate.faults import WORTH_KNOWING
from gradlint.simulate.simulation import RAISES, Simulation
from gradlint.simulate.trace import What
from gradlint.simulate.views import views


def spoils(before: str, after: str, project: Project) -> bool:
    """Whether a fixed text is worse than the original.

    It has more faults of some kind, does something that PyTorch refuses, or steps on gradients that are not clipped.
    """
    runs, repaired = _runs(before, project), _runs(after, project)
    if _counts(repaired) - _counts(runs) or _refused(repaired) - _refused(runs):
        return True
    return _unclipped(repaired) and not _unclipped(runs)


def _runs(text: str, project: Project) -> tuple[Simulation, ...]:
    source = read_for_runs(text, project.taught)
    return () if isinstance(source, Problem) else project.runs(source.statements, unasked=WORTH_KNOWING)


def _counts(simulations: tuple[Simulation, ...]) -> Counter[str]:
    """The number of places with each fault."""
    return places_of_each(fault for each in simulations for fault in each.faults if fault.code not in WORTH_KNOWING)


def _refused(simulations: tuple[Simulation, ...]) -> frozenset[str]:
    """What the runs raise."""
    traces = [run.trace for each in simulations for run in each.runs]
    return frozenset().union(*(each.raises | ({each.ended} if each.ended.startswith(RAISES) else set()) for each in traces))


def _unclipped(simulations: tuple[Simulation, ...]) -> bool:
    """Whether some windows of an optimizer are clipped, and others are not."""
    seen = (view.closed for each in simulations for view in views(each.main.trace))
    return any(len({bool(window.of(What.CLIP)) for window in windows}) > 1 for windows in seen)
