"""What decides on which micro-batches an optimizer steps: the condition whose answer goes with the steps, and what it counts."""

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
"""An iteration of the loop over the micro-batches, with those of the loops around it."""


@dataclass(frozen=True, eq=False)
class Decision:
    """The remainders that one condition asked for, in order; `closes` is the answer with which the optimizer steps."""

    asked: Sequence[Remainder]
    closes: bool
    view: View

    @property
    def test(self) -> cst.CSTNode:
        """The condition."""
        return self.asked[0].test

    @property
    def branch(self) -> cst.CSTNode:
        """What asks it."""
        return self.asked[0].branch

    @cached_property
    def node(self) -> cst.BinaryOperation | None:
        """The remainder by the size of the windows, where the condition asks for just one."""
        found = {id(each.node): each.node for each in self.asked if each.by == self.view.size}
        node = next(iter(found.values()), None)
        return node if len(found) == 1 and isinstance(node, cst.BinaryOperation) else None

    @cached_property
    def begins(self) -> int | None:
        """What is divided at the first micro-batch, where it goes up by one with each; None where it does not."""
        found = self._beginnings
        first = found[0] if found else None
        return int(first) if first is not None and float(first).is_integer() else None

    @property
    def restarts(self) -> bool:
        """Whether what is divided begins anew with each pass over the data; so it does where there is but one."""
        return len(set(self._beginnings)) == 1

    @cached_property
    def _beginnings(self) -> list[float | None]:
        """What is divided at the first iteration of each pass, None where it does not go up by one with each.

        Iterations are numbered as the loop runs, or, where what it walks runs loops as well, by their backward passes.
        """
        by_loop = self._less(lambda event, known: event.rounds[len(event.loops) - 1])
        return by_loop if None not in by_loop else self._less(lambda event, known: known)

    def _less(self, number: Callable[[Event, int], int]) -> list[float | None]:
        """What is divided less the number of the iteration, for each pass; None where that differs."""
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
    """In which iteration of the innermost loop around the backward passes something happens."""
    loops = view.backwards[0].loops if view.backwards else ()
    level = len(loops)
    return event.turns[:level] if level and event.loops[:level] == loops else None


def decided(view: View, step: Event) -> Decision | None:
    """What decides about a step, among what asks for remainders."""
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
    """What the branches around a step ask, and what the calls on the way to it are handed."""
    tests = [part for node, _, _ in step.path if isinstance(node, cst.If) for part in walk(node.test)]
    calls = (node for node in (step.node, *step.stack) if isinstance(node, cst.Call))
    return [*tests, *(arg.value for call in calls for arg in call.args)]


def _gives(branch: cst.CSTNode, named: Sequence[cst.CSTNode]) -> bool:
    """Whether an assignment gives a value to one of some names."""
    targets = {dotted(each.target) for each in branch.targets} if isinstance(branch, cst.Assign) else set()
    return any(dotted(each) in targets for each in named if isinstance(each, (cst.Name, cst.Attribute)))


def _feeds(node: cst.CSTNode, view: View) -> bool:
    """Whether the backward passes stand under a branch as well."""
    return any(other is node for event in view.backwards for other, _, _ in event.path)


def goes_with(asked: Sequence[Remainder], view: View) -> bool | None:
    """The answer that a condition has wherever the optimizer steps, and nowhere else; None where it has none."""
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
