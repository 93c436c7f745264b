"""Finds out which micro-batches an optimizer steps on: the condition whose answer matches the steps, and what it counts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.model.syntax.expressions import dotted, walk
from gradlint.simulate.trace import Event, Remainder, What
from gradlint.simulate.views import View

Turn = tuple[int, ...]
"""An iteration of the loop over micro-batches, including those of the loops around it."""


@dataclass(frozen=True, eq=False)
class Decision:
    """The remainders that one condition took, in order. `closes` is the answer that makes the optimizer step."""

    asked: Sequence[Remainder]
    closes: bool
    view: View

    @property
    def test(self) -> cst.CSTNode:
        """The condition."""
        return self.asked[0].test

    @property
    def branch(self) -> cst.CSTNode:
        """The statement or expression that checks it."""
        return self.asked[0].branch

    @cached_property
    def node(self) -> cst.BinaryOperation | None:
        """The remainder by the window size, if the condition takes exactly one."""
        found = {id(each.node): each.node for each in self.asked if each.by == self.view.size}
        node = next(iter(found.values()), None)
        return node if len(found) == 1 and isinstance(node, cst.BinaryOperation) else None

    @cached_property
    def begins(self) -> int | None:
        """The dividend at the first micro-batch, if it goes up by one with each; else None."""
        found = self._beginnings
        first = found[0] if found else None
        return int(first) if first is not None and float(first).is_integer() else None

    @property
    def restarts(self) -> bool:
        """Whether the dividend starts over with each pass over the data, which is always true of a single pass."""
        return len(set(self._beginnings)) == 1

    @cached_property
    def _beginnings(self) -> list[float | None]:
        """The dividend at the first iteration of each pass, or None if it does not go up by one with each iteration.

        Iterations are numbered by the loop. If that fails because inner loops run in it, they are numbered by their backward
        passes.
        """
        by_loop = self._less(lambda event, known: event.rounds[len(event.loops) - 1])
        return by_loop if None not in by_loop else self._less(lambda event, known: known)

    def _less(self, number: Callable[[Event, int], int]) -> list[float | None]:
        """The dividend minus the number of the iteration, for each pass; None if the difference varies."""
        ends = [place for place, event in self.view.events if event.what is What.END]
        passes: dict[int, dict[Turn, int]] = {}
        for place, event in self.view.events:
            turn = turn_of(event, self.view) if event.what is What.BACKWARD and len(event.loops) == self._level else None
            if turn is not None:
                known = passes.setdefault(bisect_left(ends, place), {})
                known.setdefault(turn, number(event, len(known)))
        begun: dict[int, set[float]] = {}
        for each in self.asked:
            turn = turn_of(each, self.view) if each.node is self.node else None
            for pass_, known in passes.items():
                if turn in known:
                    begun.setdefault(pass_, set()).add(each.count - known[turn])
        return [next(iter(found)) if len(found) == 1 else None for _, found in sorted(begun.items())]

    @property
    def _level(self) -> int:
        return len(self.view.backwards[0].loops)


def turn_of(event: Event | Remainder, view: View) -> Turn | None:
    """The iteration of the innermost loop around the backward passes that something happens in."""
    loops = view.backwards[0].loops if view.backwards else ()
    level = len(loops)
    return event.turns[:level] if level and event.loops[:level] == loops else None


def decided(view: View, step: Event) -> Decision | None:
    """The condition that decides about a step, among those that take remainders."""
    groups: dict[int, list[Remainder]] = {}
    for each in view.trace.remainders:
        groups.setdefault(id(each.branch), []).append(each)
    for node, arm, _ in reversed(step.path):
        if id(node) in groups and not _feeds(node, view):
            return Decision(groups[id(node)], arm == 0, view)
    place = next(place for place, event in enumerate(view.trace.events) if event is step)
    near = [asked for asked in groups.values() if any(each.place <= place and _together(each, step, view) for each in asked)]
    found = [Decision(asked, closes, view) for asked in near if (closes := goes_with(asked, view)) is not None]
    known = [each for each in found if each.node is not None]
    named = _named_by(step)
    told = [each for each in known if any(part is each.branch for part in named) or _gives(each.branch, named)]
    return next(reversed(told or known), None)


def _together(asked: Remainder, step: Event, view: View) -> bool:
    return turn_of(asked, view) == turn_of(step, view)


def _named_by(step: Event) -> list[cst.CSTNode]:
    """The parts of the conditions around a step, and the arguments of the calls that lead to it."""
    tests = [part for node, _, _ in step.path if isinstance(node, cst.If) for part in walk(node.test)]
    calls = (node for node in (step.node, *step.stack) if isinstance(node, cst.Call))
    return [*tests, *(arg.value for call in calls for arg in call.args)]


def _gives(branch: cst.CSTNode, named: Sequence[cst.CSTNode]) -> bool:
    """Whether an assignment binds one of some names."""
    targets = {dotted(each.target) for each in branch.targets} if isinstance(branch, cst.Assign) else set()
    return any(dotted(each) in targets for each in named if isinstance(each, (cst.Name, cst.Attribute)))


def _feeds(node: cst.CSTNode, view: View) -> bool:
    """Whether the backward passes are under a branch as well."""
    return any(other is node for event in view.backwards for other, _, _ in event.path)


def goes_with(asked: Sequence[Remainder], view: View) -> bool | None:
    """The answer of a condition on exactly the turns on which the optimizer steps; None if no answer matches them."""
    stepped = {turn for step in view.steps if (turn := turn_of(step, view)) is not None}
    answers: dict[Turn, bool] = {}
    for each in asked:
        turn = turn_of(each, view)
        if turn is None or answers.setdefault(turn, each.holds) != each.holds:
            return None
    if answers and (view.trace.cut or view.trace.ended):
        answers.pop(next(reversed(answers)))
    closing = {holds for turn, holds in answers.items() if turn in stepped}
    others = {holds for turn, holds in answers.items() if turn not in stepped}
    return closing.pop() if len(closing) == len(others) == 1 and closing.isdisjoint(others) else None
