"""Numbers that are reported as the loss but are as small as its backpropagated part: N times too small (GRD106).

A number taken from a loss is followed to where somebody sees it: it is printed, logged, kept by a meter, or returned. That
number is a sum of losses, each with a factor. N divided losses of a window add up to their mean; if their sum is divided by
their count again, it is N times too small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import isclose

import libcst as cst

from gradlint.simulate.divided import State, states_of
from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.values import Factor, Source, Terms
from gradlint.simulate.views import View, views
from gradlint.simulate.window_terms import terms as terms_of
from gradlint.simulate.world import World, spells_resumption

CODE = "GRD106"
"""The only fault that the runs with all reports are needed for."""
_CLOSE = 1e-6

_Key = tuple[int, int]
"""Where a term of a loss begins, and its micro-batch."""

_LARGEST = 8
"""The largest N for which a pass may be as long as its square."""
_LONGEST = 50
"""The longest reporting interval, in micro-batches, for which a pass is made twice as long."""

_ABSENT = " is None"
"""How a question ends that asks whether something is missing. Scripts log more when it is there."""

BY_ENGINE = "an engine divides the loss as well: without the division the number is right"
ALSO_RIGHT = "the same number is also added up over a window, where it is right"


def too_small(view: View, larger: View | None) -> Iterator[Fault]:
    """A report shows the loss of one micro-batch, or a mean over several, still divided by N as for the backward pass."""
    if larger is None or not view.of(What.REPORT):
        return
    own, other = _backpropagated(view), _backpropagated(larger)
    divided = _divided(view, larger, own, other)
    theirs = _reports(larger, other, divided)
    for place, seen in _reports(view, own, divided).items():
        if place in theirs and _both_small(seen, theirs[place], view, larger):
            right = view.size > 1 and any(isclose(size, view.size) for sizes in seen.sizes.values() for size in sizes)
            why = BY_ENGINE if seen.by_engine else ALSO_RIGHT if right else ""
            yield Fault(CODE, seen.first, view.steps[0], at=place, about=seen.division, why=why)


def _both_small(seen: _Seen, theirs: _Seen, view: View, larger: View) -> bool:
    """Whether an event shows a number as small as the backpropagated loss for both values of N, possibly with the same weight."""
    for at in seen.sizes:
        if seen.is_small(at, view.trace.n) and theirs.is_small(at, larger.trace.n):
            return True
        weight, other = seen.weight(at, view.trace.n), theirs.weight(at, larger.trace.n)
        # A plain number may undo the division by a plain window, or by the N that nobody sets to another value.
        undone = view.size == larger.size or isclose(weight * view.trace.actual_n, 1.0, rel_tol=_CLOSE)
        if weight and not undone and isclose(weight, other, rel_tol=_CLOSE):
            return True
    return False


def spoken(runs: Sequence[Played], play: Callable[[World], Played]) -> Iterator[Played]:
    """Runs with both values of N in which everything periodic or optional happens.

    There are none if every number taken from a divided loss is already seen without them.
    """
    usual, larger = runs[:2]
    asked, pairs = usual.asked, _pairs(usual.trace, larger.trace)
    left_out = tuple(
        (key, not answer)
        for key, answer in asked.questions.items()
        if answer == key.endswith(_ABSENT) and not spells_resumption(key)
    )
    literals = frozenset(each for each in usual.trace.literals if each <= _LONGEST)
    if not (asked.paces or left_out or literals) or larger.world.n > _LARGEST:
        return
    if any(_unseen(view, other) for view, other in pairs):
        for each in (usual.world, larger.world):
            length = max(each.n * (each.n + 1), 2 * max(literals, default=0)) + 1
            yield play(replace(each, paces=frozenset(asked.paces), answers=(*each.answers, *left_out), length=length))


def told_late(usual: Played, runs: Sequence[Played]) -> Iterator[Fault]:
    """Faults that only the runs with all reports show, placed at the steps of the usual run."""
    own = {view.key: view for view in views(usual.trace)}
    for view, larger in _pairs(runs[0].trace, runs[1].trace) if runs else ():
        for fault in too_small(view, larger) if view.key in own else ():
            yield replace(fault, event=own[view.key].steps[0])


def _pairs(trace: Trace, larger: Trace) -> list[tuple[View, View]]:
    """The views of each optimizer in two runs."""
    others = {view.key: view for view in views(larger)}
    return [(view, others[view.key]) for view in views(trace) if view.key in others]


def _unseen(view: View, larger: View) -> bool:
    """Whether a number taken from a divided loss is never seen, or too rarely for a mean, or no number is taken at all."""
    own = _backpropagated(view)
    divided = _divided(view, larger, own, _backpropagated(larger))
    reports = _reports(view, own, divided)
    seen = {
        place
        for place, each in reports.items()
        if any(max(sizes) > 1.0 - _CLOSE and each.is_often(at, view.trace.n) for at, sizes in each.sizes.items())
    }
    taken = [each for each in view.of(What.REPORT) if not each.through and _size(each.terms, own, divided)]
    return bool(divided) and (not taken or any(each.node not in seen for each in taken))


@dataclass(eq=False)
class _Seen:
    """How large a number is each time an event shows it, relative to the backpropagated loss.

    `sizes`, `weights` and `micros` are by the nodes of the events. `micros` are the micro-batches that the shown numbers came
    from, and `taken` all micro-batches whose loss was taken. `by_engine` says that an engine divides too. `weights` are what
    each number was divided by after it was taken, 0 if it comes from several micro-batches or was not only divided.
    """

    first: Event
    division: cst.CSTNode | None
    taken: frozenset[int]
    by_engine: bool
    sizes: dict[cst.CSTNode, list[float]] = field(default_factory=dict)
    weights: dict[cst.CSTNode, set[float]] = field(default_factory=dict)
    micros: dict[cst.CSTNode, set[int]] = field(default_factory=dict)

    def is_often(self, at: cst.CSTNode, n: int) -> bool:
        """Whether an event shows it for at least one micro-batch in N. A number shown once may be a sum that has just begun."""
        return len(self.micros.get(at, ())) >= len(self.taken) // n

    def is_small(self, at: cst.CSTNode, n: int) -> bool:
        """Whether the numbers that an event shows are as small as the backpropagated loss."""
        return self.is_often(at, n) and _is_small(self.sizes.get(at, ()))

    def weight(self, at: cst.CSTNode, n: int) -> float:
        """The divisor of the numbers that an event shows, if each was only divided, by the same number every time; else 0."""
        found = self.weights.get(at, {0.0})
        return next(iter(found)) if self.is_often(at, n) and max(found) - min(found) <= _CLOSE else 0.0


def _backpropagated(view: View) -> dict[_Key, Factor]:
    """The factor of each term of the loss when it is backpropagated, before an engine divides it."""
    found: dict[_Key, Factor] = {}
    for event in view.backwards:
        share = event.value.value if event.value is not None and event.value.value else 1.0 / view.trace.n
        for source, factor in event.terms:
            own = factor.times(Factor(1.0 / share)) if event.node in factor.divisors else factor
            found.setdefault((id(source.node), source.micro), own)
    return found


def _divided(view: View, larger: View, own: Mapping[_Key, Factor], other: Mapping[_Key, Factor]) -> set[int]:
    """Where the terms begin that are divided by N, or by the size of a plain window.

    A term divided by N shrinks accordingly with a larger N.
    """
    if larger.trace.n == view.trace.n:
        return set()
    mine, theirs = ({key: factor.value for (key, _), factor in each.items()} for each in (own, other))
    ratio = view.trace.n / larger.trace.n
    found = {key for key, value in mine.items() if value and isclose(theirs.get(key, 0.0), value * ratio, rel_tol=_CLOSE)}
    if view.accumulates and view.size == larger.size:
        states, used = states_of(view, larger), terms_of(view)
        alike = {key for key, value in mine.items() if key in used and isclose(used[key].factor.value, value, rel_tol=_CLOSE)}
        found |= {key for key in alike if states[key] is State.DIVIDED}
    return found


def _reports(view: View, whole: Mapping[_Key, Factor], divided: set[int]) -> dict[cst.CSTNode, _Seen]:
    """The reports of divided losses, by where each number was taken from the loss, or else where it is shown."""
    found: dict[cst.CSTNode, _Seen] = {}
    taken = _taken(view)
    by_engines = [each for each in view.backwards if each.value is None or each.value.value != 1.0]
    engines = {id(source.node) for each in by_engines for source, factor in each.terms if each.node in factor.divisors}
    for event in view.of(What.REPORT) if divided else ():
        for terms, node in event.shows:
            for place, own in _by_place(terms, node or event.node).items():
                size = _size(own, whole, divided)
                if size is not None:
                    twice = any(id(source.node) in engines for source, _ in own)
                    seen = found.setdefault(place, _Seen(event, _division(own, whole), taken.get(place, frozenset()), twice))
                    seen.sizes.setdefault(event.node, []).append(size)
                    seen.weights.setdefault(event.node, set()).add(_weight(own, whole, size))
                    seen.micros.setdefault(event.node, set()).update(source.micro for source, _ in own)
    return found


def _taken(view: View) -> dict[cst.CSTNode, frozenset[int]]:
    """The micro-batches that numbers were taken from, by where that happened."""
    found: dict[cst.CSTNode, frozenset[int]] = {}
    for event in view.of(What.REPORT):
        if not event.through:
            found[event.node] = found.get(event.node, frozenset()) | {source.micro for source, _ in event.terms}
    return found


def _division(terms: Sequence[tuple[Source, Factor]], whole: Mapping[_Key, Factor]) -> cst.CSTNode | None:
    """Where a loss is divided for its backward pass: the last division is the one for accumulation."""
    source, factor = terms[0]
    divisors = factor.divisors[: len(whole[id(source.node), source.micro].divisors)]
    return divisors[-1] if divisors else None


def _by_place(terms: Terms, node: cst.CSTNode) -> dict[cst.CSTNode, list[tuple[Source, Factor]]]:
    """The terms of a report by where they were taken from a loss, or else by where they are shown."""
    found: dict[cst.CSTNode, list[tuple[Source, Factor]]] = {}
    for source, factor in terms:
        found.setdefault(source.taken or node, []).append((source, factor))
    return found


def _size(terms: Iterable[tuple[Source, Factor]], whole: Mapping[_Key, Factor], divided: set[int]) -> float | None:
    """The size of a sum of losses relative to what is backpropagated for one micro-batch; None if its parts differ."""
    parts: dict[int, list[float]] = {}
    for source, factor in terms:
        key = id(source.node)
        backpropagated = whole.get((key, source.micro))
        same = source.doubt if source.taken is not None else factor.doubt
        if (
            key not in divided
            or backpropagated is None
            or not backpropagated.value
            or same != backpropagated.doubt
            or (source.taken and factor.doubt)
        ):
            return None
        parts.setdefault(key, []).append(factor.value / backpropagated.value)
    sizes = [1.0 if _fades(each) else sum(each) for each in parts.values()]
    return sizes[0] if sizes and all(isclose(each, sizes[0], rel_tol=_CLOSE) for each in sizes) else None


def _weight(terms: Sequence[tuple[Source, Factor]], whole: Mapping[_Key, Factor], size: float) -> float:
    """What a number from one micro-batch was divided by after it was taken; 0 if that does not explain its size."""
    divided = {factor.by / whole[id(source.node), source.micro].by for source, factor in terms if factor.by}
    weight = divided.pop() if len({source.micro for source, _ in terms}) == len(divided) == 1 else 0.0
    return weight if isclose(weight * size, 1.0, rel_tol=_CLOSE) else 0.0


def _fades(parts: Sequence[float]) -> bool:
    """Whether the weights of the parts decay as in an exponential average, and so approach a sum of one."""
    rates = [one / other for one, other in pairwise(parts) if other]
    return len(rates) == len(parts) - 1 > 0 and all(isclose(each, 1.0 - parts[-1], rel_tol=_CLOSE) for each in rates)


def _is_small(sizes: Sequence[float]) -> bool:
    """Whether most shown numbers are as small as the backpropagated loss. A sum may be partial, or continue in the next pass."""
    as_small = sum(isclose(each, 1.0, rel_tol=_CLOSE) for each in sizes)
    return 2 * as_small > len(sizes) and max(sizes) < 2.0
