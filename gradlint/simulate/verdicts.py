"""The verdict for each training loop of a simulation: verified, wrong or unknown, with the reason and its statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import libcst as cst

from gradlint.simulate.divided import open_terms
from gradlint.simulate.engines.lightning import AUTOMATIC
from gradlint.simulate.faults import WORTH_KNOWING, Fault
from gradlint.simulate.simulation import Played, Simulation
from gradlint.simulate.text_runs import RAISES
from gradlint.simulate.timelines import brief
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.values import WITHOUT_STEPS
from gradlint.simulate.views import View, views
from gradlint.simulate.window_terms import terms as terms_of_loss

# Three answers


class Answer(Enum):
    """What is known about a training loop."""

    WRONG = "it has faults"
    VERIFIED = "it trains as the large batch does, in every world"
    UNKNOWN = "it is not known what it does"


@dataclass(frozen=True, eq=False)
class Verdict:
    """The verdict for one loop and one optimizer of a root. For an unknown loop, `reason` and `node` say why and where.

    `loop` is the innermost loop, or the function, around its backward passes. `optimizer` is -1 if none steps.
    """

    loop: cst.CSTNode | None
    optimizer: int
    answer: Answer
    faults: tuple[Fault, ...] = ()
    reason: str = ""
    node: cst.CSTNode | None = None


def verdicts(simulation: Simulation) -> list[Verdict]:
    """The verdicts of a root."""
    runs = simulation.runs
    found = list(simulation.faults)
    first = runs[0].trace
    seen = [(view, loop) for view in views(first) for loop in _loops_of(view.backwards)]
    answers = [_verdict(view, loop, found, runs) for view, loop in seen]
    known = {id(loop) for _, loop in seen}
    for loop in _loops_of([each for each in first.of(What.BACKWARD) if each.through != AUTOMATIC]):
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
    return Verdict(loop, -1, Answer.UNKNOWN, reason="gradlint sees no optimizer step", node=loop)


def _verdict(view: View, loop: cst.CSTNode | None, found: Sequence[Fault], runs: Sequence[Played]) -> Verdict:
    number = view.optimizer.number
    own = tuple(fault for fault in found if fault.code not in WORTH_KNOWING and _belongs(fault, view, loop))
    if own:
        return Verdict(loop, number, Answer.WRONG, own)
    reason, node = _first_doubt(view, loop, runs)
    return Verdict(loop, number, Answer.UNKNOWN if reason else Answer.VERIFIED, reason=reason, node=node)


def _belongs(fault: Fault, view: View, loop: cst.CSTNode | None) -> bool:
    """Whether a fault belongs to a loop: its event is inside it, or inside no loop around a backward pass.

    An event that the usual run does not reach belongs to the loops it is in.
    """
    if all(event.node is not fault.event.node for event in view.trace.events):
        return any(each is loop for each in fault.event.loops)
    nodes = {id(event.node) for _, event in view.events}
    if id(fault.event.node) not in nodes:
        return False
    loops = {id(each) for each in _loops_of(view.backwards)}
    inner = [id(each) for each in fault.event.loops if id(each) in loops]
    return not inner or inner[-1] == id(loop)


def _first_doubt(view: View, loop: cst.CSTNode | None, runs: Sequence[Played]) -> tuple[str, cst.CSTNode | None]:
    """The first reason why a loop without a fault is not verified; "" if there is none."""
    for place, run in enumerate(runs):
        if run.trace.ended and not (place > 1 and run.trace.ended.startswith(RAISES)):  # that world shows nothing more
            return run.trace.ended, run.trace.ended_at
    if view.doubt:
        return view.doubt, _asked(view) or loop
    for event in view.backwards:
        if _innermost(event) is loop:
            for _, factor in event.terms:
                if factor.doubt and (len(runs) < 2 or factor.doubt not in WITHOUT_STEPS):
                    return factor.doubt, event.node
    for event in (event for _, event in view.events):
        if view.uncertain(event) and not _looks_on(event):
            return f"the data decide whether `{brief(event)}` runs", event.node
    if len(runs) < 2:
        return "", None  # each micro-batch has its own update, whatever the settings are
    larger = next((each for each in views(runs[1].trace) if each.key == view.key), None)
    if larger is None and view.repeats(runs[1].trace):
        return "", None
    if larger is None:
        return "gradlint sees no optimizer step with another N", loop
    if not runs[0].trace.n_names and view.written_out and larger.written_out:
        return "", None  # an update of one iteration, in several parts
    for reason, node in (_windows_seen(view, loop, runs, larger), _loss_seen(view, larger), _arms_seen(view, loop, runs)):
        if reason:
            return reason, node
    return "", None


def _asked(view: View) -> cst.CSTNode | None:
    """A branch around a step, but not around the backward passes, that the data decide; else a step that finds no gradients."""
    feeding = {id(node) for event in view.backwards for node, _, _ in event.path}
    unsure = (node for step in view.steps for node, _, varies in step.path if varies and id(node) not in feeding)
    return next(unsure, None) or next((step.node for step in view.steps if not step.terms), None)


def _loss_seen(view: View, larger: View) -> tuple[str, cst.CSTNode | None]:
    """Why some term of the loss may not be divided by the size of its window, and where; "" if all are."""
    if view.size > 1 and not terms_of_loss(view):
        return "gradlint cannot tell what the gradients of a window consist of", view.steps[0].node
    for term in open_terms(view, larger):
        if view.size > 1 or term.doubt:
            return term.doubt or _UNSEEN, term.event.node
    return "", None


def _arms_seen(view: View, loop: cst.CSTNode | None, runs: Sequence[Played]) -> tuple[str, cst.CSTNode | None]:
    """Why the divisor of the loss is unknown in an arm that only another world takes, and where; "" if it is known."""
    usual = {id(event.node) for event in view.trace.of(What.BACKWARD)}
    for run in runs[2:]:
        for other in views(run.trace):
            for term in terms_of_loss(other).values():
                new = id(term.event.node) not in usual and _innermost(term.event) is loop
                if new and other.size > 1 and term.doubt not in WITHOUT_STEPS:
                    return term.doubt, term.event.node
    return "", None


def _looks_on(event: Event) -> bool:
    """Whether an event cannot affect an update: it shows a loss, or calls something without passing weights or gradients.

    A call that gets a model or an optimizer is assumed to save or measure it, however often it runs.
    """
    return event.what is What.REPORT or (event.what is What.CALL and (event.only_reads or event.handed.isdisjoint(_OF_UPDATE)))


_OF_UPDATE = frozenset(("parameters", "gradient"))
"""The kinds of objects that an update consists of."""
_UNSEEN = "gradlint cannot tell what divides the loss, if anything does"


def _windows_seen(view: View, loop: cst.CSTNode | None, runs: Sequence[Played], larger: View) -> tuple[str, cst.CSTNode | None]:
    """Why the windows of the two worlds are neither of one micro-batch nor of N, and where; "" if they are."""
    sizes = view.size, larger.size
    if sizes in ((1, 1), (runs[0].trace.n, runs[1].trace.n)):
        return "", None
    if view.size == larger.size and view.trace.literals & {view.size}:
        return "", None
    return "gradlint cannot tell the size of the windows", loop
