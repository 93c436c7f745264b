"""Schedules that advance once per update, but whose length counts micro-batches (GRD402)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import ceil, floor, isclose, prod

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.limits import met_by_micro_batches
from gradlint.simulate.pace import of_data, of_same, passes_in
from gradlint.simulate.trace import Event, Length, Trace, What
from gradlint.simulate.values import Factor
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import micros_of


def length_of_schedule(view: View, larger: View | None) -> Iterator[Fault]:
    """A schedule advances once per update, but a length that it is given counts micro-batches."""
    if larger is None or (larger.size == view.size and not view.literal):
        return
    seen: set[int] = set()
    for window in view.closed:
        for event in window.of(What.SCHEDULE):
            other = next((each for each in larger.of(What.SCHEDULE) if each.node is event.node), None)
            if id(event.node) in seen or other is None or (event.handed and not _told_of_updates(event, view)):
                continue
            seen.add(id(event.node))
            if _per_update(event, view):
                for length, then in zip(event.lengths, other.lengths, strict=False):
                    if length.place is then.place and too_long(length, event, view) and too_long(then, other, larger):
                        yield Fault("GRD402", event, view.steps[0], at=length.place)


def too_long(length: Length, event: Event, view: View) -> bool:
    """Whether a schedule's length counts micro-batches, or N times the updates where an engine already multiplies by N."""
    if view.literal and view.size in length.beside:
        return False  # the factor itself divides by N
    return _of_micro_batches(length.count, view) or (event.through == "accelerator" and multiplied(length.count, view))


def multiplied(length: Factor, view: View) -> bool:
    """Whether a length is N times a number from the settings, or N times the batches of whole passes."""
    if length.doubt or not length.of & view.trace.n_names or view.size < 2:
        return False
    rest = replace(length, value=length.value / view.size, of=length.of - view.trace.n_names)
    if of_data(length.of):
        return passes_in(rest, view) > 0
    product = prod(view.trace.settings.get(name, 0.0) for name in rest.of)
    return bool(rest.of) and isclose(rest.value, product)


def _told_of_updates(event: Event, view: View) -> bool:
    """Whether a schedule is passed a number that goes up by one each time: its current position."""
    told = [each.numbers[:1] for each in view.of(What.SCHEDULE) if each.node is event.node]
    return all(one and other and isclose(other[0] - one[0], 1.0) for one, other in pairwise(told))


def _per_update(event: Event, view: View) -> bool:
    """Whether a schedule advances once for each whole window."""
    whole = [window for window in view.closed if len(window.micros) == view.size]
    own = [each for each in view.of(What.SCHEDULE) if each.target == event.target]
    advanced = sum(1 for each in own if each.node is event.node or not each.handed)
    return len(whole) > 1 and abs(advanced - len(view.steps)) <= 1


def _of_micro_batches(length: Factor, view: View) -> bool:
    """Whether a length is the number of micro-batches in whole passes, or in a run that ends after a set number of them."""
    passes = passes_in(length, view)
    return (passes > 0 and not _by_usual(passes, length, view)) or _of_limit(length, view) or _of_ranges(length, view)


def _by_usual(passes: int, length: Factor, view: View) -> bool:
    """Whether a length may be that of all passes divided by N, with N taken from its default."""
    return view.actual > 1 and len(length.of) > 1 and passes * view.actual == len(view.of(What.PASS))


def _of_limit(length: Factor, view: View) -> bool:
    """Whether a length covers at least the limit that micro-batches are counted up to, and both come from the same setting."""
    settings = view.trace.settings
    if length.doubt or length.of & view.trace.n_names:
        return False
    own = frozenset(name for name in length.of if settings.get(name) != 1)  # a number of processes is 1 in all worlds
    return any(limit.of == own and limit.value <= length.value for limit in met_by_micro_batches(view))


def _of_ranges(length: Factor, view: View) -> bool:
    """Whether a length is no shorter than the iterations of nested ranges, and given by the same settings.

    Each iteration of the innermost one is one micro-batch: `for epoch in range(epochs): for step in range(steps_per_epoch):`.
    """
    first = view.backwards[0]
    ends = {id(each.node): each.sides[1] for each in view.trace.bounds}
    loops = [each for each in first.loops if not isinstance(each, cst.FunctionDef)]
    stops = [ends[id(loop)] for loop in loops if id(loop) in ends]
    if length.doubt or len(stops) < 2 or len(stops) < len(loops):
        return False
    of = frozenset().union(*(each.of for each in stops))
    turns = {(event.turns, micro) for event in view.backwards for micro in micros_of(event) if event.loops == first.loops}
    one_each = len(turns) == len({turn for turn, _ in turns}) == len({micro for _, micro in turns})
    same = of == length.of and not of & view.trace.n_names
    return same and one_each and prod(each.value for each in stops) <= length.value


def not_in_updates(before: Trace, after: Trace) -> str:
    """Why the schedule lengths that a fix changed are not numbers of updates; "" if they are."""
    seen = views(before)
    for event, other in zip(before.of(What.SCHEDULE), after.of(What.SCHEDULE), strict=False):
        sizes = {before.n, *(view.size for view in seen if view.optimizer.number == event.target)}
        for one, new in zip(event.lengths, other.lengths, strict=False):
            if not new.count.of - one.count.of <= before.n_names:
                return "the schedule's length would be divided by something other than N"
            fits = any(_as_many(one.count, new.count, size, before) for size in sizes)
            if not fits and _same_settings(one.count, before, after):
                return "the schedule's length would match no number of updates"
            if _of_whole_run(one.count, before) and new.count.value < sum(each.node is other.node for each in after.events):
                return "the schedule would be shorter than the run"
        if len(event.lengths) > len(other.lengths):
            return "gradlint would no longer see how long the schedule is"
    return ""


def _same_settings(length: Factor, before: Trace, after: Trace) -> bool:
    """Whether the settings behind a number kept their values, which depend on the order in which a run finds the settings."""
    return all(before.settings.get(name) == after.settings.get(name) for name in length.of)


def _as_many(length: Factor, updates: Factor, size: int, trace: Trace) -> bool:
    """Whether a number is unchanged, or went from micro-batches to updates, rounded up or down in each pass."""
    passes = [each.value.value for each in trace.of(What.PASS) if each.value is not None and of_same(each.value, length.of)]
    each = passes[0] if passes and passes[0] else length.value
    shares = (floor(each / size) / each * length.value, ceil(each / size) / each * length.value) if size and each else (0.0, 0.0)
    return isclose(length.value, updates.value) or shares[0] - 1 <= updates.value <= shares[1] + 1


def _of_whole_run(length: Factor, trace: Trace) -> bool:
    """Whether a number counts all micro-batches of a run."""
    micros = {micro for event in trace.of(What.BACKWARD) for micro in micros_of(event)}
    return isclose(length.value, len(micros))
