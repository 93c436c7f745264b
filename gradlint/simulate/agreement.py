"""Decides which faults the runs of a loop agree on: one world shows the fault, and no other world refutes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradlint.simulate import counts, limits, shrunk
from gradlint.simulate.called_again import goes_on
from gradlint.simulate.drifting import irregular
from gradlint.simulate.every_arm import in_all
from gradlint.simulate.faults import Fault
from gradlint.simulate.flushing import missed
from gradlint.simulate.judge import judged
from gradlint.simulate.meant import meant
from gradlint.simulate.pace import repeated
from gradlint.simulate.precision import MIXED
from gradlint.simulate.simulation import Played, Simulation
from gradlint.simulate.skipping import skipping
from gradlint.simulate.stalling import left_out
from gradlint.simulate.switched_on import in_pairs
from gradlint.simulate.thrown_away import thrown_away
from gradlint.simulate.trace import UPDATES, What
from gradlint.simulate.views import View
from gradlint.simulate.windows import in_real_loop

_OF_TWO = frozenset("GRD101 GRD102 GRD103 GRD104 GRD105 GRD108 GRD204 GRD211 GRD402 GRD504".split())
"""Faults that take two values of N to see."""

_OF_A_SCALER = frozenset(("GRD302", "GRD307"))
"""Faults that only apply where a loss is scaled."""

_AT_THE_END = frozenset(("GRD202", "GRD205", "GRD307"))
"""Faults that a run may miss by ending early."""

_IN_A_WINDOW = frozenset(("GRD202", "GRD301", "GRD304", "GRD305"))
"""Faults that a run may not show if its windows lose what they have accumulated."""

_WITHIN_AN_UPDATE = frozenset(("GRD303", "GRD306", "GRD403"))
"""Faults in what happens together with a step, and in the gradients it finds, whenever the step runs."""

_EVERYWHERE = frozenset(("GRD208", "GRD308", "GRD309"))
"""Faults that every run shows if it reaches their event. A run without the fault means that the code is right in some arm."""

_OF_PROCESSES = frozenset(("GRD601", "GRD602", "GRD603"))
"""Faults that a run can only have if its model is wrapped for several processes."""

_OF_ONE_ARM = frozenset(
    "GRD101 GRD102 GRD104 GRD203 GRD301 GRD302 GRD303 GRD304 GRD305 GRD306 GRD307 GRD308 GRD309 GRD401 GRD404 GRD601 GRD602 GRD603".split()
)
"""Faults that are reported even if only an unusual world reaches their event."""


@dataclass(frozen=True, eq=False)
class _Judged:
    """A run, its faults, and the view of each optimizer."""

    run: Played
    faults: Sequence[Fault]
    views: Sequence[View]

    def met(self, fault: Fault) -> bool:
        """Whether the run contains the event of a fault."""
        own = [event for event in self.run.trace.events if event.node is fault.event.node]
        return any(event.parallel for event in own) if fault.code in _OF_PROCESSES else bool(own)

    def shows(self, fault: Fault) -> bool:
        """Whether the run shows a fault."""
        return any(each.key == fault.key for each in self.faults)

    @property
    def accumulates(self) -> bool:
        """Whether some update is made of several micro-batches."""
        return any(view.accumulates for view in self.views)


def faults(simulation: Simulation) -> list[Fault]:
    """The faults of a simulated root."""
    if len(simulation.runs) < 2:
        return _of_other_runs(simulation)
    first, second = simulation.runs[:2]
    main = _judged(first, second)
    others = [_judged(run, None) for run in simulation.runs[2:]]
    found = [
        fault for fault in main.faults if all(_tells_nothing(fault, main, other) or _holds(fault, other) for other in others)
    ]
    found = [fault for fault in found if not (fault.code == "GRD202" and goes_on(simulation, fault))]
    if _told(main, others):
        return [fault for fault in found if fault.code in _WITHIN_AN_UPDATE]
    known = {fault.key for fault in found}
    for each in others:
        for fault in each.faults:
            if fault.key not in known and _of_one_arm(fault, each, [main, *others]):
                known.add(fault.key)
                found.append(fault)
    return found + _of_other_runs(simulation)


def _of_other_runs(simulation: Simulation) -> list[Fault]:
    """The faults found by the extra runs: other arms of data conditions, an N that grows during the run, flushes, and so on."""
    main = simulation.main
    every = [fault for run in simulation.detours for fault in skipping(main.trace, run.trace)]
    every += [fault for run in simulation.stalls for fault in left_out(main.trace, run.trace)]
    every += [fault for run in simulation.drifts for fault in irregular(main, run)]
    every += [fault for run in simulation.flushes for fault in missed(main.trace, run.trace)]
    every += thrown_away(main, simulation.thrown)
    every += [fault for group in simulation.arms for fault in in_all(group, simulation.runs[1])]
    every += in_pairs(simulation.switched_on, main.trace)
    every += limits.misjudged(simulation.limited, simulation.runs)
    every += shrunk.told_late(main, simulation.spoken)
    if simulation.hurried is not None:
        every += counts.repeated([run.trace for run in simulation.runs], simulation.hurried.trace)
    return list({fault.key: fault for fault in every}.values())


def _judged(run: Played, larger: Played | None) -> _Judged:
    own = meant(run.trace)
    return _Judged(run, judged(own, meant(larger.trace) if larger is not None else None), own.meant)


def _tells_nothing(fault: Fault, main: _Judged, other: _Judged) -> bool:
    """Whether a world is unable to refute a fault of the usual one. A number that is only reached later does not undo a fault."""
    return (
        bool(other.run.world.numbers)
        or _torn(fault, main, other)
        or _ends_sooner(fault, main, other)
        or _of_a_schedule_alike(fault, main, other)
    )


def _torn(fault: Fault, main: _Judged, other: _Judged) -> bool:
    """Whether a world clears gradients inside its windows, unlike the usual one: they cannot show what else is wrong in a window."""
    mine, others = ({each.code for each in judged.faults} for judged in (main, other))
    return fault.code in _IN_A_WINDOW and "GRD203" in others - mine


def _of_a_schedule_alike(fault: Fault, main: _Judged, other: _Judged) -> bool:
    """Whether a world also repeats the schedule's step, and its length is the same, or unknown because another string is set.

    What the length counts only shows with another N, and only the usual world is run with one.
    """
    if fault.code != "GRD401" or not any(e.node is fault.event.node for v in other.views for e, _ in repeated(v, What.SCHEDULE)):
        return False
    lengths = [
        next((e.value for e in each.run.trace.of(What.SCHEDULE) if e.node is fault.event.node), None) for each in (main, other)
    ]
    if other.run.world.strings and (lengths[1] is None or lengths[1].doubt):
        return True
    return lengths[0] is not None and lengths[0] == lengths[1]


def _ends_sooner(fault: Fault, main: _Judged, other: _Judged) -> bool:
    """Whether a world lacks the second pass over the data that would show the fault, while the usual world has it."""
    if fault.code != "GRD202" or fault.other is None:
        return False
    first, second = (sum(each.text == fault.other.text for each in run.trace.of(What.PASS)) for run in (main.run, other.run))
    return second < 2 <= first


def _holds(fault: Fault, other: _Judged) -> bool:
    """Whether a world is consistent with a fault: it shows the fault, never reaches the event, or does not accumulate.

    Where the scaler is switched off, no fault of the scaler can show.
    """
    off = any(key.endswith(".enabled") and not answer for key, answer in other.run.world.answers)
    if off and fault.code.startswith("GRD30"):
        return True
    if _without_scaler(fault, other):
        return True
    if other.run.trace.ended and fault.code in _AT_THE_END and not other.shows(fault):
        return True
    if fault.code == "GRD205" and _clears_apart(fault, other):
        return True
    if fault.code in _EVERYWHERE:
        return other.shows(fault) or not other.met(fault) or _splits_nothing(fault, other)
    if fault.code == "GRD106":
        return True  # another setting may change the gradients, but not what is logged
    if fault.code in _OF_TWO:
        return not (_in_doubt(fault, other) or (fault.code == "GRD204" and _closes_windows(fault, other)))
    return other.shows(fault) or not other.met(fault) or not other.accumulates


def _clears_apart(fault: Fault, other: _Judged) -> bool:
    """Whether a world only clears gradients in another arm of a branch that the step takes: that arm is not this one's."""
    mine = {id(node): arm for node, arm, _ in fault.event.path}
    zeros = other.run.trace.of(What.ZERO)
    return bool(zeros) and all(any(mine.get(id(node), arm) != arm for node, arm, _ in each.path) for each in zeros)


def _splits_nothing(fault: Fault, other: _Judged) -> bool:
    """Whether a fault is about split gradients, and a world only differs by strings: another strategy may not split them."""
    return fault.code == "GRD309" and bool(other.run.world.strings)


def _without_scaler(fault: Fault, other: _Judged) -> bool:
    """Whether a fault is about scaled losses, and a world scales none."""
    return fault.code in _OF_A_SCALER and not _any_scales([other])


def _in_doubt(fault: Fault, other: _Judged) -> bool:
    """Whether a world is unsure of the factors of the fault's terms: another setting may make up for the fault."""
    nodes = {id(source.node) for source, factor in fault.event.terms if not (factor.doubt or source.doubt)}
    steps = other.run.trace.of(What.STEP)
    return any(factor.doubt and id(source.node) in nodes for step in steps for source, factor in step.terms)


def _closes_windows(fault: Fault, other: _Judged) -> bool:
    """Whether a step closes one backward pass in the usual world, but several in this one: the division is meant for this one."""
    windows = (window for view in other.views for window in view.closed)
    mine = [window.backwards for window in windows if window.step is not None and window.step.node is fault.event.node]
    return any(len({id(event.node) for event in each}) < len(each) for each in mine)


def _of_one_arm(fault: Fault, own: _Judged, worlds: Sequence[_Judged]) -> bool:
    """Whether a fault belongs to an arm that the usual world does not take, and so does everything it is measured against."""
    if fault.code == "GRD307" and UPDATES in own.run.trace.unreached:
        return False  # the text has an update, which may depend on other conditions too
    worlds = [each for each in worlds if not _without_scaler(fault, each)]
    if fault.code not in _OF_ONE_ARM or (worlds[0] is not own and worlds[0].met(fault)):
        return False
    unknown = (
        fault.code == "GRD306"
        and fault.why != MIXED
        and _any_scales(worlds)
        and not all(_loss_known(fault, each) for each in worlds)
    )
    return not unknown and all(each.shows(fault) or not each.met(fault) for each in worlds)


def _loss_known(fault: Fault, other: _Judged) -> bool:
    """Whether a world only reaches the backward pass that the fault is measured against if it shows the fault."""
    return fault.other is None or other.shows(fault) or not any(e.node is fault.other.node for e in other.run.trace.events)


def _any_scales(worlds: Sequence[_Judged]) -> bool:
    """Whether some world scales a loss: the condition that scales it may be the one that guards the scaler's step."""
    return any(event.scaled for each in worlds for event in each.run.trace.of(What.BACKWARD))


def _told(main: _Judged, others: Sequence[_Judged]) -> bool:
    """Whether unseen code decides if the optimizer steps: one answer removes every step but keeps the backward passes.

    Where the steps repeat only because their function is called repeatedly, the backward passes may disappear too.
    """
    called = bool(main.views) and not any(in_real_loop(step) for view in main.views for step in view.steps)
    without = [other.run for other in others if other.run.world.answers and not other.views]
    alone = called or not main.accumulates
    return alone and any(called or (run.trace.of(What.BACKWARD) and not run.trace.ended) for run in without) and bool(main.views)
