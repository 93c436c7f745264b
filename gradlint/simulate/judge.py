"""Tells the catalogue's faults from traces. Nothing here has seen the text of the program.

A trace is cut, for each optimizer, into windows: what happens from one of its steps to the next. What each step finds in the
gradients decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradlint.simulate import losses, pace, precision, tails, zeroing
from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Trace, What
from gradlint.simulate.views import View, own_paces, views

__all__ = ["Fault", "View", "judge", "views"]

_OF_ALL = frozenset((What.SCHEDULE, What.AVERAGE, What.SCALER_UPDATE))
"""Events that belong to no optimizer in particular, where it is not known to which."""


def judge(trace: Trace, larger: Trace | None) -> list[Fault]:
    """The faults of a run; `larger` is the run of the same world with a larger N, which tells what depends on N."""
    found = views(trace)
    others = {view.key: view for view in views(larger)} if larger is not None else {}
    apart = own_paces(found)
    by_view = [(view, list(_certain(view, _of_view(view, others.get(view.key), view.key in apart)))) for view in found]
    unique: dict[tuple[str, int], Fault] = {}
    for _, faults in by_view:
        for fault in faults:
            if fault.event.what not in _OF_ALL or fault.event.target >= 0 or _in_all(fault, by_view):
                unique.setdefault(fault.key, fault)
    return list(unique.values())


def _in_all(fault: Fault, by_view: Sequence[tuple[View, list[Fault]]]) -> bool:
    """Whether all optimizers that an event concerns see a fault."""
    concerned = [found for view, found in by_view if any(event is fault.event for _, event in view.events)]
    return all(any(each.key == fault.key for each in faults) for faults in concerned)


def _certain(view: View, faults: Iterator[Fault]) -> Iterator[Fault]:
    """The faults whose events do not hang on what the data decide."""
    for fault in faults:
        if fault.code in _AT_ONCE or not (view.uncertain(fault.event) or view.uncertain(fault.other)):
            yield fault


_AT_ONCE = frozenset(("GRD302", "GRD306", "GRD307"))
"""Faults that one event is enough for, whether it happens at each turn or not."""


def _of_view(view: View, larger: View | None, apart: bool) -> Iterator[Fault]:
    yield from precision.without_unscale(view)
    yield from precision.bypassed(view)
    yield from precision.never_updated(view)
    if view.blind:
        return
    yield from zeroing.before_step(view)
    yield from zeroing.never(view, larger)
    yield from precision.clip_after_step(view)
    yield from pace.before_step(view)
    if view.doubt or apart:
        return
    yield from zeroing.reused(view)
    if view.accumulates:
        yield from _of_windows(view, larger)
    else:
        yield from losses.stepping_inside(view, larger)


def _of_windows(view: View, larger: View | None) -> Iterator[Fault]:
    """What is wrong where a step closes several micro-batches."""
    yield from tails.first_window(view, larger)
    if not view.lost or view.size in (view.trace.n, *view.trace.literals):
        yield from tails.tails(view)
        yield from tails.wiped(view)
    yield from zeroing.inside_window(view)
    yield from precision.inside_window(view)
    yield from pace.inside_window(view, larger)
    yield from pace.length_of_schedule(view, larger)
    yield from losses.of_loss(view, larger)
