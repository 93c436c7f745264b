"""Whether runs refute a finding: they come to its place, understand its windows, and show no such fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from gradlint.simulate.judge import judge, judged
from gradlint.simulate.losses import State, states_of
from gradlint.simulate.meant import meant
from gradlint.simulate.simulation import Simulation
from gradlint.simulate.trace import What
from gradlint.simulate.views import View
from gradlint.simulate.windows import in_real_loop

_EVENTS = {"GRD101": What.BACKWARD, "GRD204": What.STEP, "GRD205": What.STEP, "GRD303": What.CLIP}
"""The rules whose findings runs may refute, and at what these are reported: where the judge has no finding of them, there is none."""


REFUTABLE = frozenset(_EVENTS)
"""The codes of these rules: for all others no run need be made."""


def refuted(code: str, at: Callable[[cst.CSTNode], bool], simulations: Sequence[Simulation]) -> bool:
    """Whether every run that comes to a place understands it, and none has a fault of a rule there; `at` tells the place's nodes."""
    what = _EVENTS.get(code)
    if what is None:
        return False
    met = [each for each in simulations if any(at(event.node) for event in each.main.trace.of(what))]
    return bool(met) and all(_is_clear(code, at, simulation) for simulation in met)


def _is_clear(code: str, at: Callable[[cst.CSTNode], bool], simulation: Simulation) -> bool:
    runs = simulation.runs
    if len(runs) < 2 or runs[0].trace.ended or runs[1].trace.ended:
        return False
    own, other = meant(runs[0].trace), meant(runs[1].trace)
    larger = {view.key: view for view in other.meant}
    concerned = [view for view in own.meant if any(at(event.node) for _, event in view.events)]
    if code == "GRD205" and all(map(_is_cleared, concerned)):
        return True
    if not concerned or not all(_is_understood(code, view, larger.get(view.key)) for view in concerned):
        return False
    faults = judged(own, other) + [fault for run in runs[1:] for fault in judge(run.trace, None)]
    return not any(fault.code == code for fault in faults)


def _is_cleared(view: View) -> bool:
    """Whether gradients that a step has used are cleared in a loop, and nothing but the loop decides that."""
    return any(zero.held and in_real_loop(zero) and not view.uncertain(zero) for zero in view.of(What.ZERO))


def _is_understood(code: str, view: View, larger: View | None) -> bool:
    """Whether the windows of both worlds are of N micro-batches, and nothing about them is in doubt."""
    if larger is None or view.doubt or larger.doubt or view.lost or not view.accumulates:
        return False
    whole = (view.size, larger.size) == (view.trace.n, larger.trace.n)
    if not whole and not (view.size == larger.size and view.sizes.count(view.size) > 1):
        return False
    if any(view.uncertain(event) for _, event in view.events):
        return False
    if _EVENTS[code] is not What.BACKWARD:
        return True
    return set(states_of(view, larger).values()) == {State.DIVIDED}
