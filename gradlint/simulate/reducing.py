"""Averages over processes that a step lacks (GRD602), or that happen before anything needs them (GRD601, GRD603)."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.simulate.faults import Fault
from gradlint.simulate.reductions import SHARDS, spells_averaging, switches
from gradlint.simulate.trace import Event, What
from gradlint.simulate.views import View
from gradlint.simulate.windows import Window, micros_of

TAIL = "the last window of the data"
"""Used as the reason of a fault in the window that the end of the data cuts short."""


def at_boundary(view: View, larger: View | None) -> Iterator[Fault]:
    """The backward pass just before a step skips the average over processes: in every window, or in the last one of the data."""
    found = _found(view)
    if found is not None and (larger is None or _agrees(found, _found(larger))):
        yield found


def in_vain(view: View, larger: View | None) -> Iterator[Fault]:
    """Every backward pass averages over processes, although only the last of a window has to. The first of them is reported.

    If a switch is set only after the forward pass, it comes too late, and the average still happens.
    """
    found = _in_vain(view)
    if found is not None and (larger is None or _agrees(found, _in_vain(larger, 1))):
        yield found


def _in_vain(view: View, least: int = 2) -> Fault | None:
    whole = [window for window in view.closed if len(window.micros) == view.size]
    if len(whole) < least or view.size < 2 or view.trace.hooked or any(map(switches, view.trace.unreached)):
        return None
    if not all(event.parallel for event in whole[0].backwards):
        del whole[0]  # here, the run does not know yet that the model is wrapped
    needed = _of_other_steps(view)
    early = [
        event
        for window in whole
        for event in window.backwards
        if max(window.micros) not in micros_of(event) and id(event) not in needed
    ]
    every = [event for window in whole for event in window.backwards]
    if not early or not all(event.reduced and event.parallel not in ("", SHARDS) for event in every):
        return None
    late = [event for event in early if event.at is not None]
    if not late:
        return Fault("GRD601", early[0], whole[0].step)
    return Fault("GRD603", late[0], whole[0].step, at=late[0].at) if len(late) == len(early) else None


def _of_other_steps(view: View) -> set[int]:
    """The backward passes of the last micro-batch before steps of other optimizers. They need the average, whatever else accumulates."""
    steps = (step for step in view.trace.of(What.STEP) if step.target != view.optimizer.number and step.held)
    passes = ([view.trace.events[place] for place in step.held] for step in steps)
    return {id(event) for held in passes for event in held if event.micros == held[-1].micros}


def _agrees(one: Fault, other: Fault | None) -> bool:
    """Whether a run with another N shows the same fault."""
    return other is not None and (other.key, other.why) == (one.key, one.why)


def _found(view: View) -> Fault | None:
    whole = [window for window in view.closed if window.step is not None and len(window.micros) == view.size]
    orders = {_order(window, view) for window in whole}
    if len(whole) < 2 or len(orders) > 1 or view.size < 2 or _elsewhere(view):
        return None
    order = orders.pop()
    if not order[-1]:
        return _fault(whole[0], view, "")
    cut = [window for window in view.closed if window.step is not None and 0 < len(window.micros) < view.size]
    short = next((window for window in cut if (seen := _order(window, view)) and not seen[-1]), None)
    return _fault(short, view, TAIL) if short is not None else None


def _held(window: Window, view: View) -> list[Event]:
    """The backward passes whose gradients a step uses."""
    return [view.trace.events[place] for place in window.step.held] if window.step is not None else []


def _order(window: Window, view: View) -> tuple[bool, ...]:
    """Which backward passes of a window average, in order. If a number other than N decides this, it differs between windows."""
    return tuple(event.reduced for event in _held(window, view)) or (True,)


def _fault(window: Window, view: View, why: str) -> Fault | None:
    last = _held(window, view)[-1]
    own = last.parallel and last.at is not None and micros_of(last) <= window.micros
    return Fault("GRD602", last, window.step, why, at=last.at) if own else None


def _elsewhere(view: View) -> bool:
    """Whether something else may average, or the optimizer may step other weights than the wrapped ones."""
    trace = view.trace
    if (
        len(trace.optimizers) > 1
        or trace.hooked
        or any(event.value is None or event.value.doubt for event in trace.of(What.RESCALE))
    ):
        return True
    if any(map(spells_averaging, trace.unreached)):
        return True
    for event in trace.of(What.CALL):
        gradients = event.handed & {"gradient", "parameters", "network"} and not event.only_reads
        if event.handed and spells_averaging(event.text):
            return True
        if gradients and any(event is each for window in view.closed for each in window.after_last(What.CALL)):
            return True
    return False
