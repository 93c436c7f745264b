"""The verdict of a simulation: the faults that show in every world in which their events run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradlint.simulate.faults import Fault
from gradlint.simulate.judge import judge
from gradlint.simulate.simulation import Played, Simulation
from gradlint.simulate.trace import What
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import in_real_loop

_OF_TWO = frozenset(("GRD101", "GRD102", "GRD103", "GRD104", "GRD204", "GRD402"))
"""Faults that two values of N are needed to see."""
_OF_ONE_ARM = frozenset(("GRD101", "GRD104", "GRD203", "GRD301", "GRD304", "GRD305", "GRD306", "GRD401", "GRD404"))
"""Faults that are reported where only another world than the usual one reaches their event."""


@dataclass(frozen=True, eq=False)
class _Judged:
    """A run, its faults, and how each optimizer sees it."""

    run: Played
    faults: Sequence[Fault]
    views: Sequence[View]

    def met(self, fault: Fault) -> bool:
        """Whether the event of a fault happens in the run."""
        return any(event.node is fault.event.node for event in self.run.trace.events)

    def shows(self, fault: Fault) -> bool:
        """Whether the run has a fault."""
        return any(each.key == fault.key for each in self.faults)

    @property
    def accumulates(self) -> bool:
        """Whether an update is made of several micro-batches."""
        return any(view.accumulates for view in self.views)


def faults(simulation: Simulation) -> list[Fault]:
    """The faults of a simulated root."""
    if len(simulation.runs) < 2:
        return []
    first, second = simulation.runs[:2]
    main = _judged(first, second)
    others = [_judged(run, None) for run in simulation.runs[2:]]
    if _told(main, others):
        return []
    found = [fault for fault in main.faults if all(_holds(fault, other) for other in others)]
    known = {fault.key for fault in found}
    for each in others:
        for fault in each.faults:
            if fault.key not in known and _of_one_arm(fault, each, [main, *others]):
                known.add(fault.key)
                found.append(fault)
    return found


def _judged(run: Played, larger: Played | None) -> _Judged:
    return _Judged(run, judge(run.trace, larger.trace if larger is not None else None), views(run.trace))


def _holds(fault: Fault, other: _Judged) -> bool:
    """Whether a fault shows in a world, or its event does not run there, or not in a loop that accumulates.

    Where the scaler is switched off, nothing of the scaler is wrong.
    """
    off = any(key.endswith(".enabled") and not answer for key, answer in other.run.world.answers)
    if off and fault.code.startswith("GRD30"):
        return True
    return other.shows(fault) or fault.code in _OF_TWO or not other.met(fault) or not other.accumulates


def _of_one_arm(fault: Fault, own: _Judged, worlds: Sequence[_Judged]) -> bool:
    """Whether a fault belongs to an arm that the usual world does not take, with all that the fault is measured against."""
    if fault.code not in _OF_ONE_ARM or worlds[0].met(fault):
        return False
    if fault.code == "GRD306" and any(not _loss_known(fault, each) for each in worlds if each is not own):
        return False
    return all(each.shows(fault) or not each.met(fault) for each in worlds)


def _loss_known(fault: Fault, other: _Judged) -> bool:
    """Whether a world has the backward pass that a fault of the scaler is measured against only where it has the fault."""
    return fault.other is None or other.shows(fault) or not any(e.node is fault.other.node for e in other.run.trace.events)


def _told(main: _Judged, others: Sequence[_Judged]) -> bool:
    """Whether something out of sight says if the optimizer steps: one answer makes all steps vanish, and not the backward passes.

    Where only calls repeat the steps, the backward passes may vanish as well.
    """
    called = bool(main.views) and not any(in_real_loop(step) for view in main.views for step in view.steps)
    without = [other.run for other in others if other.run.world.answers and not other.views]
    alone = called or not main.accumulates
    return alone and any(called or (run.trace.of(What.BACKWARD) and not run.trace.ended) for run in without) and bool(main.views)
