"""Loops that end by comparing a count of updates with a number of micro-batches, or the other way round (GRD406)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, floor, isclose, isfinite

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.pace import of_data, of_same, passes_in
from gradlint.simulate.trace import Bound, Trace, What
from gradlint.simulate.values import Factor
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import micros_of
from gradlint.simulate.world import World

TOO_LONG = "the run goes on N times too long"
TOO_SHORT = "the run ends N times too soon"


def paired(runs: Sequence[Played], play: Callable[[World], Played]) -> Iterator[tuple[Played, Played]]:
    """The runs with such a wrong limit, each with a run of the same world with a larger N."""
    usual, larger = runs[0], runs[1]
    unset = (play(replace(usual.world, answers=(*usual.world.answers, (key, True)))) for key in _left_open(usual))
    for run in (usual, *runs[2:], *unset):
        if any(_of_run(run.trace)):
            world = replace(run.world, n=larger.world.n, length=larger.world.length)
            yield run, larger if run is usual else play(world)


def _left_open(run: Played) -> list[str]:
    """The questions whether an optional limit is missing, in which case the program computes it."""
    limits = {name for each in run.trace.bounds for side in each.sides for name in side.of}
    return [key for key, missing in sorted(run.asked.questions.items()) if not missing and key.removesuffix(" is None") in limits]


def misjudged(pairs: Sequence[tuple[Played, Played]], runs: Sequence[Played]) -> Iterator[Fault]:
    """Loop ends whose counter and limit count different things, reported at the steps of the usual run.

    They must do so with both values of N, and in all worlds in which the limit is a number of updates or micro-batches.
    """
    others = [run.trace for run in (*runs[:1], *runs[2:])]
    own = {view.key: view for view in views(runs[0].trace)}
    for run, larger in pairs:
        for meter in _of_run(run.trace):
            if _agrees(meter, larger.trace) and not any(map(meter.denied_by, others)):
                yield Fault("GRD406", own.get(meter.view.key, meter.view).steps[0], why=meter.why, at=meter.node)


@dataclass(frozen=True, eq=False)
class _Meter:
    """A condition that ends a loop, as one run evaluates it, for one optimizer."""

    node: cst.CSTNode
    asked: Sequence[Bound]
    view: View

    @property
    def trace(self) -> Trace:
        return self.view.trace

    @cached_property
    def _limit_side(self) -> int | None:
        """Which of the two compared numbers is the limit: the one that is constant while the other changes."""
        varying = [len({each.sides[side].value for each in self.asked}) > 1 for side in (0, 1)]
        return varying.index(False) if varying.count(True) == 1 else None

    @property
    def fixed(self) -> Factor | None:
        """The compared number that is constant."""
        return self.asked[0].sides[self._limit_side] if self._limit_side is not None else None

    @cached_property
    def limit(self) -> Factor | None:
        """The number that ends the loop, if it is computed from a number of batches and reached from below."""
        side, limit = self._limit_side, self.fixed
        if side is None or limit is None:
            return None
        early = any(each.ends and each.sides[1 - side].value < limit.value - 1 for each in self.asked)
        return limit if of_data(limit.of) and isfinite(limit.value) and not early else None

    def _begins_at(self, places: Sequence[int]) -> float | None:
        """The counter's value before the first of some places in the trace, if it goes up by exactly one at each of them."""
        side = self._limit_side
        assert side is not None
        first = {each.sides[1 - side].value - bisect_left(places, each.place) for each in self.asked}
        return first.pop() if len(first) == 1 else None

    @cached_property
    def counts(self) -> What | None:
        """What the counter counts, updates or micro-batches. None if it counts neither, or if there are as many of both."""
        own = {id(step) for step in self.view.steps}
        steps = [place for place, event in enumerate(self.trace.events) if id(event) in own]
        by_step, by_micro = self._begins_at(steps) is not None, self._begins_at(self._micros) is not None
        return None if by_step is by_micro else What.STEP if by_step else What.BACKWARD

    @cached_property
    def _micros(self) -> list[int]:
        """The first backward pass of each micro-batch, by its place in the trace."""
        seen: set[int] = set()
        found: list[int] = []
        for place, event in enumerate(self.trace.events):
            if event.what is What.BACKWARD and not micros_of(event) <= seen:
                seen |= micros_of(event)
                found.append(place)
        return found

    @property
    def micro_batches(self) -> Factor | None:
        """How many micro-batches have been counted when the limit is reached, if a setting gives it."""
        if self.fixed is None or not self.fixed.of or self.counts is not What.BACKWARD:
            return None
        return replace(self.fixed, value=self.fixed.value - (self._begins_at(self._micros) or 0.0))

    @cached_property
    def passes(self) -> frozenset[tuple[str, int]]:
        """How many passes over the data the limit corresponds to, in micro-batches or updates, with each rounding that fits."""
        limit = self.limit
        lengths = [
            each.value.value for each in self.trace.of(What.PASS) if each.value and limit and of_same(each.value, limit.of)
        ]
        if limit is None or not lengths or not limit.of & self.trace.n_names:
            passes = passes_in(limit, self.view)
            return frozenset((("", passes),)) if passes else frozenset()
        each, whole = lengths[0] / self.trace.n, limit.value * self.trace.n / lengths[0]
        counts = {limit.value // max(ceil(each), 1), limit.value // max(floor(each), 1), floor(whole), ceil(whole)}
        return frozenset(
            (form, int(count))
            for count in counts - {0}
            for form, value in (
                ("each rounded up", count * ceil(each)),
                ("each rounded down", count * floor(each)),
                ("all rounded up", ceil(count * each)),
                ("all rounded down", floor(count * each)),
                ("not rounded", count * each),
            )
            if isclose(value, limit.value)
        )

    @property
    def of_updates(self) -> bool:
        """Whether the limit is a number of updates."""
        return self.limit is not None and bool(self.limit.of & self.trace.n_names)

    @property
    def why(self) -> str:
        """What is wrong; "" if nothing is known to be."""
        if self.limit is None or not self.passes:
            return ""
        if self.of_updates:
            return TOO_SHORT if self.counts is What.BACKWARD else ""
        return TOO_LONG if self.counts is What.STEP and self._goes_on else ""

    @property
    def _goes_on(self) -> bool:
        """Whether nothing else ends the run: the loops it leaves have no other end, or the run went past the limit."""
        assert self.limit is not None
        loops = [loop for loop in self.asked[0].loops if type(loop).__name__ != "FunctionDef"]
        endless = bool(loops) and all(type(loop).__name__ == "While" for loop in loops)
        others = (each for each in self.trace.bounds if each.loops[-1] in loops and each.node is not self.node)
        if not self.asked[0].alone or any(self.limit not in each.sides for each in others):
            return False
        micros = {micro for event in self.view.backwards for micro in micros_of(event)}
        return endless or len(micros) > self.limit.value

    def denied_by(self, trace: Trace) -> bool:
        """Whether the same condition is fine in another world in which its limit is a number of updates or micro-batches."""
        theirs = [each for each in _meters(trace) if each.node is self.node and each.view.key == self.view.key]
        return any(each.limit is not None and each.why != self.why for each in theirs)


def _meters(trace: Trace) -> Iterator[_Meter]:
    by_node: dict[cst.CSTNode, list[Bound]] = {}
    for each in trace.bounds:
        by_node.setdefault(each.node, []).append(each)
    for view in views(trace) if by_node else ():
        for node, asked in by_node.items():
            yield _Meter(node, asked, view)


def met_by_micro_batches(view: View) -> Iterator[Factor]:
    """The numbers of micro-batches after which a loop ends, where settings give them."""
    for meter in _meters(view.trace):
        if meter.view.key == view.key and meter.micro_batches is not None:
            yield meter.micro_batches


def _of_run(trace: Trace) -> Iterator[_Meter]:
    """The conditions that are wrong, but only the first for each limit."""
    seen: set[tuple[tuple[int, int], Factor]] = set()
    for meter in _meters(trace):
        view = meter.view
        whole = view.size == trace.n or (view.literal and not meter.of_updates)
        if meter.limit is None or not view.accumulates or view.doubt or not whole or not meter.why:
            continue
        if (view.key, meter.limit) not in seen:
            seen.add((view.key, meter.limit))
            yield meter


def _agrees(meter: _Meter, larger: Trace) -> bool:
    """Whether the units are the same with a larger N, and the limit corresponds to as many passes."""
    for view in views(larger):
        if view.key == meter.view.key:
            asked = [each for each in larger.bounds if each.node is meter.node]
            other = _Meter(meter.node, asked, view)
            return bool(asked) and other.why == meter.why and bool(other.passes & meter.passes)
    return False
