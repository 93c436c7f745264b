"""Whether runs refute a finding: they come to its place, understand its windows, and show no such fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from gradlint.simulate.fitting import FLIPS
from gradlint.simulate.judge import judge, judged
from gradlint.simulate.losses import State, rate_makes_up, states_of
from gradlint.simulate.meant import meant
from gradlint.simulate.pace import in_step
from gradlint.simulate.simulation import Played, Simulation
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.values import IN_WINDOWS
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import in_real_loop
from gradlint.simulate.world import last_part, spells_rows

_EVENTS = {
    "GRD101": (What.BACKWARD,),
    "GRD203": (What.ZERO, What.CALL),
    "GRD204": (What.STEP,),
    "GRD205": (What.STEP,),
    "GRD303": (What.CLIP,),
    "GRD401": (What.SCHEDULE,),
}
"""The rules whose findings runs may refute, and at what these are reported: where the judge has no finding of them, there is none."""

_OF_WINDOWS = frozenset(
    "GRD101 GRD104 GRD105 GRD106 GRD201 GRD202 GRD203 GRD204 GRD301 GRD304 GRD305 GRD401 GRD402 GRD404 GRD601".split()
)
"""The rules about windows of several micro-batches."""

REFUTABLE = frozenset(_EVENTS) | _OF_WINDOWS
"""The codes of all these rules: for all others no run need be made."""

Asks = Callable[[cst.CSTNode], bool]


def refuted(code: str, at: Asks, within: Asks, simulations: Sequence[Simulation]) -> bool:
    """Whether every run that comes to a place understands it, and none has a fault of a rule there.

    `at` tells the nodes of the place, `within` those that it lies in.
    """
    around = [each for each in simulations if any(map(within, _loops(each)))] if code in _OF_WINDOWS else []
    if around and all(map(_steps_each_time, around)):
        return True
    if code == "GRD202" and around and all(map(_in_whole_windows, around)):
        return True
    what = _EVENTS.get(code, ())
    if code == "GRD401":
        return _in_step(at, simulations)
    met = [each for each in simulations if any(at(event.node) for event in each.main.trace.of(*what))]
    return bool(met) and all(_is_clear(code, at, simulation) for simulation in met)


def _loops(simulation: Simulation) -> list[cst.CSTNode]:
    """The innermost loops around the backward passes of the usual world."""
    return [event.loops[-1] for event in simulation.main.trace.of(What.BACKWARD) if event.loops]


def _in_whole_windows(simulation: Simulation) -> bool:
    """Whether all data that are trained on are as many as a multiple of N tells them to be."""
    passes = [each for view in views(simulation.main.trace) for each in view.of(What.PASS)]
    return bool(passes) and all(each.through == IN_WINDOWS for each in passes)


def _steps_each_time(simulation: Simulation) -> bool:
    """Whether each micro-batch has an update of its own, and no assumption about the text decides that."""
    main = simulation.main
    if any(spells_rows(last_part(name)) for name in main.asked.actual):
        return False  # a batch of another size may be split
    if main.world.answers or len(main.asked.deciding) > FLIPS or (len(simulation.runs) == 1 and main.asked.looped):
        return False
    return all(_is_of_ones(run.trace) for run in simulation.runs)


def _is_of_ones(trace: Trace) -> bool:
    """Whether all windows of a run are of one micro-batch, and nothing counts them."""
    seen = views(trace)
    counted = trace.ended or trace.n_names or trace.literals
    return bool(seen) and not counted and not any(view.doubt or set(view.sizes) != {1} for view in seen)


def _in_step(at: Asks, simulations: Sequence[Simulation]) -> bool:
    """Whether the schedule at a place was built, wherever a run comes to it, for just as many steps as it takes."""
    runs = [run for each in simulations for run in each.runs]
    met = [(run, event) for run in runs for event in _first_at(run, at, What.SCHEDULE)]
    return bool(met) and all(in_step(event, run.trace) for run, event in met)


def _first_at(run: Played, at: Asks, *what: What) -> list[Event]:
    return [event for event in run.trace.of(*what) if at(event.node)][:1]


def _is_clear(code: str, at: Asks, simulation: Simulation) -> bool:
    runs = simulation.runs
    if code == "GRD203":
        return not any(run.trace.ended or _clears(run, at) or not _keeps(run, at) for run in runs)
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


def _clears(run: Played, at: Asks) -> bool:
    """Whether something at a place clears gradients that no optimizer has used, and not only those of weights that stay as they are."""
    used = {place for step in run.trace.of(What.STEP) for place in step.held}
    return any(at(event.node) and not used.issuperset(event.held) for event in run.trace.of(What.ZERO))


def _keeps(run: Played, at: Asks) -> bool:
    """Whether a place that clears a part of the weights does so behind each last backward pass: no step ever changes them."""
    closed = [
        window for view in views(run.trace) for window in view.closed if any(at(call.node) for call in window.of(What.CALL))
    ]
    return all(any(at(call.node) for call in window.after_last(What.CALL)) for window in closed)


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
    if code != "GRD101":
        return True
    states = set(states_of(view, larger).values())
    if rate_makes_up(view, larger) and states <= {State.UNDIVIDED, State.UNKNOWN}:
        return True
    return bool(states) and states <= {State.DIVIDED, State.SUMMED}
