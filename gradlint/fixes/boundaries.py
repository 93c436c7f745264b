"""Finds the guards of a window that test its counter modulo N in a run: which must change together, and what would not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.fixes.places import Node, Places
from gradlint.fixes.shared import comparison_around
from gradlint.fixes.update_by_trace import called_apart
from gradlint.model.syntax.expressions import dotted, last_name, text, walk
from gradlint.simulate.deciding import Decision, decided, goes_with, turn_of
from gradlint.simulate.reductions import switches
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, Remainder, Trace, What
from gradlint.simulate.views import views

_OF_UPDATE = frozenset(
    (What.UNSCALE, What.CLIP, What.RESCALE, What.STEP, What.SCALER_UPDATE, What.ZERO, What.SCHEDULE, What.AVERAGE)
)


@dataclass(frozen=True, eq=False)
class Guard:
    """A condition with a remainder.

    `node` is the remainder, `branch` the code that tests the condition, and `closes` its value at the end of a window.
    """

    node: cst.BinaryOperation
    test: cst.CSTNode
    branch: cst.CSTNode
    closes: bool

    @property
    def block(self) -> cst.BaseSuite | None:
        """The block that the guard controls, if it is a branch."""
        return self.branch.body if isinstance(self.branch, cst.If) else None


class Boundary:
    """All guards of a window that test the same counter modulo the same number. The guard of the step comes first."""

    def __init__(self, scene: Scene, decision: Decision, node: cst.BinaryOperation) -> None:
        self.scene = scene
        self.decision = decision
        self.node = node
        self.places = scene.script.once(Places)
        self.key = (text(node.left), text(node.right))

    @cached_property
    def guards(self) -> list[Guard]:
        """The guards, without duplicates: of the step, of other parts of the update, and of contexts that skip averaging."""
        found = {id(self.node): Guard(self.node, self.decision.test, self.decision.branch, self.decision.closes)}
        home = self.places.function_of(self.node)
        for node, asked in self._others():
            role = self._role(asked[0])
            if role is not None and self.places.function_of(node) is home:
                closes = goes_with(asked, self.scene.view)
                found.setdefault(id(node), Guard(node, asked[0].test, asked[0].branch, role if closes is None else closes))
        return list(found.values())

    def _others(self) -> Iterator[tuple[cst.BinaryOperation, Sequence[Remainder]]]:
        groups: dict[int, list[Remainder]] = {}
        for run in self.scene.runs or (self.scene.run,):
            known = set(groups)
            for each in run.trace.remainders:
                if id(each.node) not in known:
                    groups.setdefault(id(each.node), []).append(each)
        for asked in groups.values():
            node = asked[0].node
            if isinstance(node, cst.BinaryOperation) and (text(node.left), text(node.right)) == self.key:
                yield node, asked

    def _role(self, asked: Remainder) -> bool | None:
        """The value of a condition that runs the end-of-window code, or None if it controls no such code."""
        branch = asked.branch
        steps = [event for run in self.scene.runs or (self.scene.run,) for event in run.trace.of(What.STEP)]
        calls = [node for event in steps for node in (event.node, *event.stack) if isinstance(node, cst.Call)]
        if any(arg.value is branch for call in calls for arg in call.args):
            return True
        if isinstance(branch, cst.IfExp):
            return _is_context(branch.orelse) if _is_context(branch.body) or _is_context(branch.orelse) else None
        if not isinstance(branch, cst.If):
            return None
        arms = [arm for event in self._ends() for node, arm, _ in event.path if node is branch]
        return arms[0] == 0 if arms else None

    def _ends(self) -> list[Event]:
        return [event for run in self.scene.runs or (self.scene.run,) for event in run.trace.once(_behind)]

    @cached_property
    def begins(self) -> int | None:
        """The value of the dividend at the first micro-batch, if it is the same in all runs, whatever the settings."""
        seen = (
            view for run in self.scene.runs or (self.scene.run,) for view in views(run.trace) if view.key == self.scene.view.key
        )
        found = [decided(view, view.steps[0]) for view in seen]
        own = {each.begins for each in found if each is not None and each.node is self.node} | {self.decision.begins}
        return self.decision.begins if len(own) == 1 else None

    @cached_property
    def counters(self) -> set[str]:
        """The names of the counted variables."""
        return {name for each in walk(self.node.left) if (name := dotted(each)) is not None}

    # Code that would not move along

    def asked_elsewhere(self) -> cst.CSTNode | None:
        """Another remainder by N that the loop tests, other than one that opens a window."""
        tests = [self.comparisons(guard) for guard in self.guards]
        opening = {id(each.node) for each in self.scene.run.trace.remainders if self._opens(each)}
        for node in self._in_loop(cst.BinaryOperation):
            if not isinstance(node.operator, cst.Modulo) or isinstance(node.left, cst.SimpleString):
                continue
            if text(node.right) == self.key[1] and id(node) not in opening and not any(_holds(each, node) for each in tests):
                return node
        return None

    def _opens(self, asked: Remainder) -> bool:
        """Whether a condition controls clearing the gradients before the backward pass of its iteration."""
        zeroings = self.scene.run.trace.once(_opening)
        return any(node is asked.branch for event in zeroings for node, _, _ in event.path)

    def comparisons(self, guard: Guard) -> cst.CSTNode:
        """The condition of a guard, or only the comparison if it is somewhere else."""
        return guard.test if _holds(guard.test, guard.node) else guard.node

    def _in_loop(self, kind: type[Node]) -> list[Node]:
        loop = self.scene.loop
        nodes = list(self.places.below(loop, kind)) if loop is not None else []
        inside = set(map(id, nodes))
        for each in self.scene.run.trace.remainders:
            node = each.node
            if type(node) is kind and id(node) not in inside and turn_of(each, self.scene.view) is not None:
                inside.add(id(node))
                nodes.append(node)
        return nodes

    def beneath(self) -> cst.CSTNode | None:
        """Another remainder of the same counter that is tested under the guards, for example to log, save or evaluate."""
        steps = [step.node for step in self.scene.view.steps]
        blocks: list[cst.CSTNode] = [block for each in self.guards if (block := each.block) is not None and each.closes]
        lines = [self.places.around(step) for step in steps]
        whole = all(any(_holds(block, line[0]) for block in blocks) for line in lines if line)
        own = [self.comparisons(each) for each in self.guards]
        beneath = (each for block in blocks for each in self.places.below(block, cst.BinaryOperation))
        for node in beneath if whole else self._in_loop(cst.BinaryOperation):
            if isinstance(node.operator, cst.Modulo):
                named = any(dotted(each) in self.counters for each in walk(node.left))
                if named and not any(_holds(each, node) for each in own):
                    return node
        return None

    def decides_apart(self) -> bool:
        """Whether a separate test controls gradient synchronisation: `no_backward_sync(model, enabled=i % N != 0)`."""
        own = {id(each.node) for each in self.guards}
        calls = (each for each in self._in_loop(cst.Call) if switches(last_name(each.func) or ""))
        nodes = (node for call in calls for arg in call.args for node in walk(arg.value))
        return any(
            isinstance(each, cst.BinaryOperation) and isinstance(each.operator, cst.Modulo) and id(each) not in own
            for each in nodes
        )

    def asks_for_an_end(self) -> bool:
        """Whether a guard also compares its counter with something else, which suggests an intended flush."""
        for guard in self.guards:
            own = comparison_around(guard.test, guard.node)
            for each in walk(guard.test):
                other = isinstance(each, cst.Comparison) and each is not own and not _holds(each, guard.node)
                if other and any(dotted(part) in self.counters for part in walk(each)):
                    return True
        return False

    def shared(self) -> cst.Call | None:
        """A call outside the loop that a change of the guards affects, if they are in a function that the loop calls."""
        loop, home = self.scene.loop, self.places.function_of(self.node)
        own = isinstance(loop, (cst.For, cst.While)) and self.places.function_of(loop) is home
        return None if own else called_apart(self.node, self.scene, self.places)

    def skips_first(self, guard: Guard) -> cst.BooleanOperation | None:
        """The part of a guard that joins its comparison with `i > 0`, `i != 0` or `i`, to skip the first micro-batch."""
        whole = comparison_around(guard.test, guard.node)
        for each in walk(guard.test):
            if isinstance(each, cst.BooleanOperation) and isinstance(each.operator, cst.And) and whole in (each.left, each.right):
                other = each.right if each.left is whole else each.left
                names = {dotted(part) for part in walk(other) if isinstance(part, (cst.Name, cst.Attribute))} - {None}
                if names and names <= self.counters and not any(isinstance(part, cst.Modulo) for part in walk(other)):
                    return each
        return None


def boundary_of(scene: Scene) -> Boundary | None:
    """The boundary that controls an optimizer's step, if it is a single remainder."""
    decision = decided(scene.view, scene.step)
    node = decision.node if decision is not None else None
    return Boundary(scene, decision, node) if decision is not None and node is not None else None


def _behind(trace: Trace) -> list[Event]:
    """The update events after the last backward pass of their iteration, or in an iteration without one."""
    found: list[Event] = []
    following: Event | None = None
    for event in reversed(trace.events):
        if event.what is What.BACKWARD:
            following = event
        elif event.what in _OF_UPDATE:
            depth = len(following.loops) if following is not None else 0
            if following is None or (following.turns, following.loops) != (event.turns[:depth], event.loops[:depth]):
                found.append(event)
    return found[::-1]


def _opening(trace: Trace) -> list[Event]:
    """The zeroings before the backward pass of their iteration."""
    ends = {id(event) for event in trace.once(_behind)}
    return [event for event in trace.of(What.ZERO) if id(event) not in ends]


def _is_context(node: cst.BaseExpression) -> bool:
    """Whether an expression is a context that skips averaging the gradients over processes."""
    return isinstance(node, cst.Call) and switches(last_name(node.func) or "")


def _holds(node: cst.CSTNode, inner: cst.CSTNode) -> bool:
    return any(each is inner for each in walk(node))
