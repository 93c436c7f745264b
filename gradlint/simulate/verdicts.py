"""The verdict of a simulation: the faults that show in every world in which their events run."""

from __future__ import annotations

from collections.abc import Sequence

from gradlint.simulate.faults import Fault
from gradlint.simulate.judge import judge
from gradlint.simulate.simulation import Played, Simulation
from gradlint.simulate.windows import views


def faults(simulation: Simulation) -> list[Fault]:
    """The faults of a simulated root."""
    if len(simulation.runs) < 2:
        return []
    first, second = simulation.runs[:2]
    main = judge(first.trace, second.trace)
    others = [(run, judge(run.trace, None)) for run in simulation.runs[2:]]
    return [fault for fault in main if all(_holds(fault, run, found) for run, found in others)]


def _holds(fault: Fault, run: Played, found: Sequence[Fault]) -> bool:
    """Whether a fault shows in a world, or its event does not run there, or not in a loop that accumulates."""
    if any(each.key == fault.key for each in found):
        return True
    if fault.code in _OF_TWO:
        return True
    ran = any(event.node is fault.event.node for event in run.trace.events)
    return not ran or not any(view.accumulates for view in views(run.trace))


_OF_TWO = frozenset(("GRD101", "GRD102", "GRD103", "GRD104", "GRD204", "GRD402"))
"""Faults that two values of N are needed to see."""
