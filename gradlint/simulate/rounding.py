"""Whether a schedule has a step for the last, partial window of a pass: its length is rounded up or down."""

from __future__ import annotations

from dataclasses import replace

from gradlint.model.syntax.expressions import text
from gradlint.simulate.pace import counts_updates
from gradlint.simulate.simulation import Simulation
from gradlint.simulate.trace import Event, Trace, What

_ENDLESS = frozenset(
    (
        "StepLR MultiStepLR ExponentialLR ReduceLROnPlateau ConstantLR LambdaLR MultiplicativeLR CyclicLR CosineAnnealingWarmRestarts "
        "SWALR get_constant_schedule get_constant_schedule_with_warmup"
    ).split()
)
"""Schedules that are not built for a number of steps."""


def counts_full_windows(simulation: Simulation) -> str:
    """Why steps for partial windows would outlast a schedule; "" if they would not.

    The schedule counts only full windows if it is longer for a pass that consists of whole windows.
    """
    for run in simulation.runs:
        events = {id(event.node): event for event in run.trace.of(What.SCHEDULE)}
        if any(event.value.doubt if event.value is not None else event.text not in _ENDLESS for event in events.values()):
            return "gradlint does not see how long the schedule is"
        found = [event for event in events.values() if counts_updates(event, run.trace)]
        rest = run.world.length % run.world.n
        if not found or not rest or simulation.play is None:
            continue
        other = simulation.play(replace(run.world, length=run.world.length + run.world.n - rest)).trace
        short = next((event for event in found if _is_longer(event, other)), None)
        if short is not None:
            told = f"`{text(short.at)}`" if short.at is not None else "the length of the schedule"
            return f"{told} counts only full windows, so the schedule would end before the run"
    return ""


def _is_longer(event: Event, other: Trace) -> bool:
    lengths = [each.value for each in other.of(What.SCHEDULE) if each.node is event.node]
    return event.value is not None and any(each is not None and each.value > event.value.value for each in lengths)
