"""Schedules and averages of the weights: how often they advance, and for how many steps (GRD401 to GRD404)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isclose

from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.values import BATCHES, Factor
from gradlint.simulate.views import View
from gradlint.simulate.windows import micros_of, same_iteration
from gradlint.simulate.world import last_part


def inside_window(view: View, larger: View | None) -> Iterator[Fault]:
    """A schedule, or an average, advances with each micro-batch."""
    for event, step in repeated(view, What.SCHEDULE):
        if not event.handed and not _counts_micro_batches(event, view, larger):
            yield Fault("GRD401", event, step)
    for event, step in repeated(view, What.AVERAGE):
        yield Fault("GRD404", event, step)


def repeated(view: View, what: What) -> Iterator[tuple[Event, Event]]:
    """The events of a kind between two micro-batches of a window that repeat after the second of them, in the same pass.

    Each comes with the step of its window.
    """
    ready: dict[int, Event] = {}
    for window in view.windows:
        waiting: dict[int, Event] = {}
        last: Event | None = None
        for _, event in window.events:
            if event.what is What.BACKWARD:
                if last is None:
                    waiting, ready = {}, {}
                elif micros_of(last).isdisjoint(micros_of(event)):
                    ready = dict(waiting)
                last = event
            elif event.what in (What.PASS, What.END):
                waiting, ready, last = {}, {}, None
            elif event.what is what:
                if id(event.node) in ready:
                    yield ready[id(event.node)], window.step or view.steps[0]
                waiting[id(event.node)] = event


def _counts_micro_batches(event: Event, view: View, larger: View | None) -> bool:
    """Whether the length that a schedule was built for matches how often it steps, or may."""
    length = event.value
    if length is None:
        return False
    if length.doubt:
        return True
    count = sum(1 for each in view.of(What.SCHEDULE) if each.node is event.node)
    if not _cut_short(view) and isclose(length.value, count):
        return True
    if larger is None and view.trace.n_names:  # of such a world, only the length's settings are known
        return bool(length.of) and not counts_updates(event, view.trace)
    other = next((each.value for each in (larger or view).of(What.SCHEDULE) if each.node is event.node), None)
    if other is None or not length.value:
        return True
    if larger is None or larger.size == view.size:
        divided = (
            not length.of or bool(length.of & view.trace.n_names) or length.value <= len(view.steps) + 1 or _broken(length, view)
        )
        return not (view.literal and divided)
    if length.of & view.trace.n_names:
        return other.value / length.value > 1.0 and not of_data(length.of)
    return bool(length.of) and not _left_to_prepare(length, view) and not _counts_whole_batches(length, view)


def _counts_whole_batches(length: Factor, view: View) -> bool:
    """Whether a length counts batches of the data, each of which is split into several micro-batches."""
    batches, micros, _ = _first_pass(view, length.of)
    return of_data(length.of) and 0 < batches < micros


_UPDATES = re.compile(r"(max|total|num|n)_\w*(steps|updates)$", re.I)


def _left_to_prepare(length: Factor, view: View) -> bool:
    """Whether a schedule's length is a number of updates that an Accelerator counts without knowing the schedule.

    A number that ends a loop may count its iterations instead.
    """
    counted = bool(view.backwards) and all(event.through == "accelerator" for event in view.backwards)
    told = all(_UPDATES.search(last_part(name)) for name in length.of)
    return counted and told and not view.trace.bounded and length.of.isdisjoint(view.trace.gates)


def _broken(length: Factor, view: View) -> bool:
    """Whether a length is not a whole number of passes, so that something divided it."""
    batches = next(
        (each.value for each in view.trace.of(What.PASS) if each.value is not None and each.value.of & length.of), None
    )
    return batches is not None and batches.value > 0 and not isclose(length.value / batches.value % 1.0, 0.0, abs_tol=1e-9)


def counts_updates(event: Event, trace: Trace) -> bool:
    """Whether a schedule's length was computed from a number of batches and from N."""
    length = event.value
    return length is not None and not length.doubt and of_data(length.of) and bool(length.of & trace.n_names)


def of_data(names: frozenset[str]) -> bool:
    """Whether a number was computed from a length."""
    return any(name.startswith("len(") for name in names)


def of_same(length: Factor, of: frozenset[str]) -> bool:
    """Whether the length of a pass belongs to the data that a number was computed from."""
    return bool(length.of & of) or BATCHES in of


def _cut_short(view: View) -> bool:
    """Whether the run was stopped early."""
    return view.trace.cut or bool(view.trace.ended)


def passes_in(length: Factor | None, view: View) -> int:
    """How many passes a number of micro-batches covers, if it visibly covers whole passes; else 0."""
    if length is None or length.doubt or not of_data(length.of) or length.of & view.trace.n_names:
        return 0
    passes = [each.value for each in view.trace.of(What.PASS) if each.value is not None and of_same(each.value, length.of)]
    if not passes or not passes[0].value:
        return 0
    if BATCHES in length.of and any(each.of & length.of for each in passes):
        return 0  # no rows were divided: the passes have as many batches
    whole = next(filter(float.is_integer, _with_its_parts(length, passes[0].value, view)), 0.0)
    if isclose(whole, 1.0) and view.size == len(passes):
        return 0  # all passes together have as many updates as one has batches
    return round(whole) if whole and _one_each(view, length.of) else 0


def _with_its_parts(length: Factor, batches: float, view: View) -> Iterator[float]:
    """How many passes a length covers, also if a setting was taken off, such as a warm-up that another schedule covers."""
    settings = (view.trace.settings.get(name, 0.0) for name in sorted(length.of) if not of_data(frozenset((name,))))
    for taken_off in (0.0, *settings):
        whole = (length.value + taken_off) / batches
        yield float(round(whole)) if isclose(whole, round(whole)) else whole


def _one_each(view: View, of: frozenset[str]) -> bool:
    """Whether the first whole pass over the data that a length was computed from has one micro-batch per batch."""
    batches, micros, whole = _first_pass(view, of)
    size = view.size or 1  # a window may hold nothing
    return whole and micros > 0 and micros in (batches, batches // size * size)  # the last batches may be skipped on purpose


def _first_pass(view: View, of: frozenset[str]) -> tuple[float, int, bool]:
    """The first pass over the data behind a length: its batches, the micro-batches seen, and whether these are all."""
    batches, micros = 0.0, set[int]()
    for _, event in view.events:
        if event.what is What.BACKWARD:
            micros |= micros_of(event)
        elif event.what is What.PASS:
            if batches and micros:
                break
            batches, micros = event.value.value if event.value is not None and of_same(event.value, of) else 0.0, set()
    else:
        return batches, len(micros), not _cut_short(view) or bool(view.of(What.END))
    return batches, len(micros), True


def before_step(view: View) -> Iterator[Fault]:
    """A schedule advances before the optimizer's first step, in the iteration of that step."""
    first = view.closed[0] if view.closed else None
    if first is None or first.step is None or not first.backwards:
        return
    nodes = [id(event.node) for event in first.of(What.SCHEDULE)]
    for event in first.of(What.SCHEDULE):
        once = nodes.count(id(event.node)) == 1
        if (
            once
            and not event.handed
            and event.loops == first.step.loops[: len(event.loops)]
            and same_iteration(event, first.step)
        ):
            yield Fault("GRD403", event, first.step)
