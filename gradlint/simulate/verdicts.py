"""The verdict of a simulation: the faults that show in every world in which their events run, and one answer a loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import libcst as cst

from gradlint.simulate import counts, limits
from gradlint.simulate.drifting import irregular
from gradlint.simulate.faults import WORTH_KNOWING, Fault
from gradlint.simulate.judge import judged
from gradlint.simulate.losses import State, states_of
from gradlint.simulate.losses import terms as terms_of_loss
from gradlint.simulate.meant import meant
from gradlint.simulate.simulation import Played, Simulation
from gradlint.simulate.skipping import skipping
from gradlint.simulate.trace import UPDATES, Event, Trace, What
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import in_real_loop

_OF_TWO = frozenset("GRD101 GRD102 GRD103 GRD104 GRD108 GRD204 GRD211 GRD402 GRD504".split())
"""Faults that two values of N are needed to see."""
_OF_A_SCALER = frozenset(("GRD302", "GRD307"))
"""Faults that are none where no loss is scaled."""
_AT_THE_END = frozenset(("GRD202", "GRD205", "GRD307"))
"""Faults that a run which ended early has not come to."""
_EVERYWHERE = frozenset(("GRD208", "GRD308", "GRD309"))
"""Faults that no run which comes to their event is without: one that is tells of an arm where it is right."""
_OF_PROCESSES = frozenset(("GRD602",))
"""Faults that only a run can have whose model is wrapped for several processes."""
_OF_ONE_ARM = frozenset(
    "GRD101 GRD104 GRD203 GRD301 GRD302 GRD303 GRD304 GRD305 GRD306 GRD307 GRD308 GRD309 GRD401 GRD404 GRD602".split()
)
"""Faults that are reported where only another world than the usual one reaches their event."""


@dataclass(frozen=True, eq=False)
class _Judged:
    """A run, its faults, and how each optimizer sees it."""

    run: Played
    faults: Sequence[Fault]
    views: Sequence[View]

    def met(self, fault: Fault) -> bool:
        """Whether the event of a fault happens in the run."""
        own = [event for event in self.run.trace.events if event.node is fault.event.node]
        return any(event.parallel for event in own) if fault.code in _OF_PROCESSES else bool(own)

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
    return found + _of_other_runs(simulation)


def _of_other_runs(simulation: Simulation) -> list[Fault]:
    """The faults that show where the data take another arm than usual, N grows on the way, or what waits for a count happens."""
    main = simulation.main
    every = [fault for run in simulation.detours for fault in skipping(main.trace, run.trace)]
    every += [fault for run in simulation.drifts for fault in irregular(main, run)]
    every += limits.misjudged(simulation.limited, simulation.runs)
    if simulation.hurried is not None:
        every += counts.repeated([run.trace for run in simulation.runs], simulation.hurried.trace)
    return list({fault.key: fault for fault in every}.values())


def _judged(run: Played, larger: Played | None) -> _Judged:
    own = meant(run.trace)
    return _Judged(run, judged(own, meant(larger.trace) if larger is not None else None), own.meant)


def _holds(fault: Fault, other: _Judged) -> bool:
    """Whether a fault shows in a world, or its event does not run there, or not in a loop that accumulates.

    Where the scaler is switched off, nothing of the scaler is wrong.
    """
    off = any(key.endswith(".enabled") and not answer for key, answer in other.run.world.answers)
    if off and fault.code.startswith("GRD30"):
        return True
    if _without_scaler(fault, other):
        return True
    if other.run.trace.ended and fault.code in _AT_THE_END and not other.shows(fault):
        return True
    if fault.code in _EVERYWHERE:
        return other.shows(fault) or not other.met(fault)
    if fault.code in _OF_TWO:
        return not _in_doubt(fault, other)
    return other.shows(fault) or not other.met(fault) or not other.accumulates


def _without_scaler(fault: Fault, other: _Judged) -> bool:
    """Whether a world scales no loss, and a fault is about what scaled ones need."""
    return fault.code in _OF_A_SCALER and not any(each.scaled for each in other.run.trace.of(What.BACKWARD))


def _in_doubt(fault: Fault, other: _Judged) -> bool:
    """Whether a world has a doubt about the factors of what a fault is about: another setting may make up for it."""
    nodes = {id(source.node) for source, factor in fault.event.terms if not factor.doubt}
    steps = other.run.trace.of(What.STEP)
    return any(factor.doubt and id(source.node) in nodes for step in steps for source, factor in step.terms)


def _of_one_arm(fault: Fault, own: _Judged, worlds: Sequence[_Judged]) -> bool:
    """Whether a fault belongs to an arm that the usual world does not take, with all that the fault is measured against."""
    if fault.code == "GRD307" and UPDATES in own.run.trace.unreached:
        return False  # the text has an update, which may hang on something else as well
    worlds = [each for each in worlds if not _without_scaler(fault, each)]
    if fault.code not in _OF_ONE_ARM or (worlds[0] is not own and worlds[0].met(fault)):
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


# Three answers


class Answer(Enum):
    """What is known of a training loop."""

    WRONG = "it has faults"
    VERIFIED = "it trains as the large batch does, in every world"
    UNKNOWN = "it is not known what it does"


@dataclass(frozen=True, eq=False)
class Verdict:
    """The answer for one loop and one optimizer of a root; `reason` and `node` say why, and where, nothing is known.

    `loop` is the innermost loop, or the function, around its backward passes; `optimizer` is -1 where none steps.
    """

    loop: cst.CSTNode | None
    optimizer: int
    answer: Answer
    faults: tuple[Fault, ...] = ()
    reason: str = ""
    node: cst.CSTNode | None = None


def verdicts(simulation: Simulation) -> list[Verdict]:
    """The answers of a root."""
    runs = simulation.runs
    found = faults(simulation)
    first = runs[0].trace
    seen = [(view, loop) for view in views(first) for loop in _loops_of(view.backwards)]
    answers = [_verdict(view, loop, found, runs) for view, loop in seen]
    known = {id(loop) for _, loop in seen}
    for loop in _loops_of(first.of(What.BACKWARD)):
        if id(loop) not in known:
            answers.append(_without_step(loop, first))
    return answers


def _loops_of(backwards: Sequence[Event]) -> Iterator[cst.CSTNode | None]:
    """The innermost loops, or functions, around some backward passes, each once."""
    yield from {id(loop): loop for loop in map(_innermost, backwards)}.values()


def _innermost(event: Event) -> cst.CSTNode | None:
    return event.loops[-1] if event.loops else None


def _without_step(loop: cst.CSTNode | None, trace: Trace) -> Verdict:
    if trace.ended:
        return Verdict(loop, -1, Answer.UNKNOWN, reason=trace.ended, node=trace.ended_at)
    return Verdict(loop, -1, Answer.UNKNOWN, reason="no optimizer step in sight", node=loop)


def _verdict(view: View, loop: cst.CSTNode | None, found: Sequence[Fault], runs: Sequence[Played]) -> Verdict:
    number = view.optimizer.number
    own = tuple(fault for fault in found if fault.code not in WORTH_KNOWING and _belongs(fault, view, loop))
    if own:
        return Verdict(loop, number, Answer.WRONG, own)
    reason, node = _first_doubt(view, loop, runs)
    return Verdict(loop, number, Answer.UNKNOWN if reason else Answer.VERIFIED, reason=reason, node=node)


def _belongs(fault: Fault, view: View, loop: cst.CSTNode | None) -> bool:
    """Whether a fault is one of a loop: its event stands in it, or in none around a backward pass."""
    nodes = {id(event.node) for _, event in view.events}
    if id(fault.event.node) not in nodes:
        return False
    loops = {id(each) for each in _loops_of(view.backwards)}
    inner = [id(each) for each in fault.event.loops if id(each) in loops]
    return not inner or inner[-1] == id(loop)


def _first_doubt(view: View, loop: cst.CSTNode | None, runs: Sequence[Played]) -> tuple[str, cst.CSTNode | None]:
    """The first reason why a loop without a fault is not verified; "" where there is none."""
    for run in runs:
        if run.trace.ended:
            return run.trace.ended, run.trace.ended_at
    if view.doubt:
        return view.doubt, loop
    for event in view.backwards:
        if _innermost(event) is loop:
            for _, factor in event.terms:
                if factor.doubt:
                    return factor.doubt, event.node
    for event in (event for _, event in view.events):
        if view.uncertain(event):
            return "the data decide whether it happens", event.node
    if len(runs) < 2:
        return "", None  # each micro-batch has its own update, whatever the settings are
    larger = next((each for each in views(runs[1].trace) if each.key == view.key), None)
    if larger is None:
        return "no optimizer step in sight with another N", loop
    reason, node = _windows_seen(view, loop, runs, larger)
    return (reason, node) if reason or view.size < 2 else _loss_seen(view, larger)


def _loss_seen(view: View, larger: View) -> tuple[str, cst.CSTNode | None]:
    """Whether every term of the loss is seen to be divided by the size of its window."""
    states, terms = states_of(view, larger), terms_of_loss(view)
    if not states:
        return "what the gradients of a window are made of is not understood", view.steps[0].node
    open_ones = (key for key, state in states.items() if state is not State.DIVIDED)
    key = next(open_ones, None)
    return ("", None) if key is None else (_UNSEEN, terms[key].event.node)


_UNSEEN = "what the loss is divided by, if anything makes it a mean over the window, is not understood"


def _windows_seen(view: View, loop: cst.CSTNode | None, runs: Sequence[Played], larger: View) -> tuple[str, cst.CSTNode | None]:
    """Whether the windows of both worlds are of one micro-batch, or of N."""
    sizes = view.size, larger.size
    if sizes in ((1, 1), (runs[0].trace.n, runs[1].trace.n)):
        return "", None
    if view.size == larger.size and view.trace.literals & {view.size}:
        return "", None
    return "the size of its windows is not understood", loop
