"""Finds the catalogue's faults in traces, without looking at the program's text.

For each optimizer, the trace is cut into windows, each running from one step to the next. The gradients that each step finds
decide whether something is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gradlint.simulate import (
    batches,
    clipping,
    counting,
    lengths,
    logged,
    losses,
    masking,
    pace,
    precision,
    reducing,
    shrunk,
    tails,
    zeroing,
)
from gradlint.simulate.faults import Fault
from gradlint.simulate.meant import Meant, meant
from gradlint.simulate.trace import Trace, What
from gradlint.simulate.twice import divided_twice
from gradlint.simulate.views import View, own_paces, views

__all__ = ["Fault", "View", "judge", "views"]

_OF_ALL = frozenset((What.SCHEDULE, What.AVERAGE, What.SCALER_UPDATE))
"""Events that may concern every optimizer, if we do not know which one they belong to."""


def judge(trace: Trace, larger: Trace | None) -> list[Fault]:
    """The faults of a run. `larger` is the run of the same world with a larger N, and shows what depends on N."""
    return judged(meant(trace), meant(larger) if larger is not None else None)


def judged(own: Meant, larger: Meant | None) -> list[Fault]:
    """Like `judge`, for traces whose views are already known."""
    others = {view.key: view for view in larger.meant} if larger is not None else {}
    apart = own_paces(own.seen)
    pairs = zip(own.seen, own.meant, strict=True)
    by_view = [(seen, list(_faults(own, seen, view, others.get(seen.key), apart))) for seen, view in pairs]
    unique: dict[tuple[str, int], Fault] = {}
    for seen, faults in by_view:
        for fault in faults if larger is None or not seen.repeats(larger.trace) else ():
            if fault.event.what not in _OF_ALL or fault.event.target >= 0 or _in_all(fault, by_view):
                unique.setdefault(fault.key, fault)
    for fault in divided_twice(own.trace, larger.trace if larger is not None else None):
        unique.setdefault(fault.key, fault)
    return list(unique.values())


def _faults(own: Meant, seen: View, view: View, larger: View | None, apart: frozenset[tuple[int, int]]) -> Iterator[Fault]:
    """The faults that one optimizer sees, mapped back to the events of the trace itself."""
    for fault in _certain(view, _of_view(seen, view, larger, seen.key in apart)):
        other = fault.other
        yield replace(fault, event=own.origin(fault.event), other=own.origin(other) if other is not None else None)


def _in_all(fault: Fault, by_view: Sequence[tuple[View, list[Fault]]]) -> bool:
    """Whether every optimizer that an event concerns shows the fault."""
    concerned = [found for view, found in by_view if any(event is fault.event for _, event in view.events)]
    return all(any(each.key == fault.key for each in faults) for faults in concerned)


def _certain(view: View, faults: Iterator[Fault]) -> Iterator[Fault]:
    """The faults whose events do not depend on the data."""
    for fault in faults:
        if fault.code in _AT_ONCE or not (view.uncertain(fault.event) or view.uncertain(fault.other)):
            yield fault


_AT_ONCE = frozenset(("GRD106", "GRD108", "GRD302", "GRD306", "GRD307", "GRD601", "GRD603"))
"""Faults that a single event proves, even if it does not happen on every turn."""


def _of_view(seen: View, view: View, larger: View | None, apart: bool) -> Iterator[Fault]:
    """The faults in what an optimizer does, and in what it was meant to do."""
    yield from precision.without_unscale(view)
    yield from precision.bypassed(view)
    yield from precision.never_updated(view)
    yield from clipping.of_shards(view)
    yield from shrunk.too_small(view, larger)
    yield from masking.means_of_tokens(view, larger)
    for fault in zeroing.beside(seen, larger):
        yield fault
        yield from _without(fault, seen, larger)
    if seen.blind:
        return
    yield from counting.twice(view)
    yield from zeroing.before_step(seen)
    yield from zeroing.never(seen, larger)
    yield from precision.clip_after_step(view)
    yield from clipping.before_backward(seen)
    yield from pace.before_step(view)
    yield from reducing.in_vain(view, larger)
    if view.doubt or apart:
        return
    yield from zeroing.reused(seen)
    guard = [*tails.inverted(view, larger), *tails.stalled(seen, larger)]
    never = guard or list(counting.never(seen, larger))
    if never:
        yield from never
    elif seen.accumulates or view.accumulates:
        yield from zeroing.inside_window(seen)
        # Gradients cleared once, right before the last backward pass, mean a window of one micro-batch: there is nothing to
        # divide.
        alone = max(seen.held, default=0) == 1 and not zeroing.at_each(seen)
        yield from (fault for fault in _of_windows(view, larger) if not (alone and fault.code == "GRD101"))
    else:
        yield from zeroing.between_parts(seen)
        inside = list(losses.stepping_inside(view, larger))
        yield from inside or clipping.of_windows(view, larger)


def _without(fault: Fault, seen: View, larger: View | None) -> Iterator[Fault]:
    """Check where the windows of the other step begin, if a step inside of them is wrong.

    Gradients left over from a pass over the data have been used by the wrong step.
    """
    node = fault.event.node
    rest = seen.without(node)
    if not seen.uncertain(fault.event) and not rest.doubt and rest.accumulates and not rest.lost:
        found = tails.first_window(rest, larger.without(node) if larger is not None else None)
        yield from (replace(each, beside=node) for each in found)


def _of_windows(view: View, larger: View | None) -> Iterator[Fault]:
    """What is wrong where a step closes several micro-batches."""
    yield from tails.first_window(view, larger)
    yield from reducing.at_boundary(view, larger)
    if not view.lost or view.size in (view.trace.n, *view.trace.literals):
        yield from tails.tails(view)
        yield from tails.wiped(view)
    yield from precision.inside_window(view)
    yield from pace.inside_window(view, larger)
    yield from lengths.length_of_schedule(view, larger)
    yield from losses.of_loss(view, larger)
    yield from losses.of_places(view)
    yield from losses.of_arms(view, larger)
    yield from losses.squared(view, larger)
    yield from logged.last_alone(view, larger)
    yield from batches.normalised(view)
    yield from batches.compared(view)
    yield from batches.kept(view, larger)
