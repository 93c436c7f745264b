"""Runs a function that goes over the data once for a second time, as its unseen caller does with each epoch (GRD202)."""

from __future__ import annotations

from dataclasses import replace

from gradlint.simulate.explored import Simulation
from gradlint.simulate.faults import Fault
from gradlint.simulate.judge import judge
from gradlint.simulate.trace import What
from gradlint.simulate.views import views

CALLS = 2
"""How often the function is called."""


def goes_on(simulation: Simulation, fault: Fault) -> bool:
    """Whether what a pass leaves over completes a window of the next one, because the count goes on with the next call."""
    run, play = simulation.main, simulation.play
    if simulation.root is None or play is None or fault.other is None or fault.other.what is not What.END:
        return False
    if len(run.trace.of(What.PASS)) > 1:
        return False  # it goes over the data again by itself
    again = play(replace(run.world, calls=CALLS)).trace
    passes = again.of(What.END)
    known = len(passes) == CALLS and not again.ended and any(view.accumulates and not view.doubt for view in views(again))
    return known and not any(each.key == fault.key for each in judge(again, None))
