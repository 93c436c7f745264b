"""How accumulation differs from the large batch in memory and in the samples that are seen together (GRD502 to GRD504)."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event
from gradlint.simulate.views import View
from gradlint.simulate.windows import micros_of


def normalised(view: View) -> Iterator[Fault]:
    """A layer normalises by batch statistics, and only sees one micro-batch at a time."""
    if view.size > 1:
        yield from (Fault("GRD502", view.steps[0], at=norm) for norm in view.trace.norms)


def compared(view: View) -> Iterator[Fault]:
    """A loss compares the samples of a batch with each other, and only sees one micro-batch at a time."""
    for step in view.steps:
        if len(micros_of(step)) != view.size or view.size < 2:
            continue
        for event in (view.trace.events[place] for place in step.held):
            across = [source for source, _ in event.terms if source.across]
            if across and len(micros_of(event)) == 1:
                yield Fault("GRD503", event, step, at=across[0].node)
        return


def kept(view: View, larger: View | None) -> Iterator[Fault]:
    """The losses of a whole window are summed with their graphs and backpropagated at its end, so N graphs are kept in memory."""
    if larger is None:
        return
    by_setting = (view.size, larger.size) == (view.trace.n, larger.trace.n)
    if not by_setting and not view.size == larger.size in view.trace.literals:
        return
    summed = [event for event in _whole(view) if _is_summed(event, view.size)]
    others = {id(event.node) for event in _whole(larger) if _is_summed(event, larger.size)}
    if summed and len(summed) == len(_whole(view)) and id(summed[0].node) in others:
        yield Fault("GRD504", summed[0], view.steps[0])


def _whole(view: View) -> list[Event]:
    """The backward passes that feed the steps of whole windows."""
    steps = (step for step in view.steps if len(micros_of(step)) == view.size)
    return [view.trace.events[place] for step in steps for place in step.held]


def _is_summed(event: Event, size: int) -> bool:
    """Whether a backward pass sums one loss over all micro-batches of a window, whose graphs are independent of each other."""
    if any(source.met - {source.micro} for source, _ in event.terms):
        return False
    losses: dict[int, set[int]] = {}
    for source, factor in event.terms:
        if factor.value:
            losses.setdefault(id(source.node), set()).add(source.micro)
    return any(len(micros) == size for micros in losses.values())
