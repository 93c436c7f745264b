"""Finds the code that leads to training, by the names of functions and of what they call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import libcst as cst

from gradlint.model.names.vocabulary import LOSS_SPELLING, Role, is_trigger, role_of_constructor
from gradlint.model.syntax.expressions import last_name, subnodes, walk
from gradlint.simulate.roots import Definition, is_backward

_COMMON = frozenset(("step", "update", "get", "append"))
"""Names that are too common to follow."""


@dataclass(frozen=True)
class Aim:
    """What a suite contains or calls.

    `matters` is set for anything that affects training, `leads` for a backward pass, `loops` for a loop around one, `schedules`
    for a new scheduler, `builds` for a new optimizer, and `freezes` for a context without gradients that lasts: one that is
    kept or pushed on a stack, not entered by a `with` of its own.
    """

    matters: bool = False
    leads: bool = False
    loops: bool = False
    schedules: bool = False
    builds: bool = False
    freezes: bool = False


_NONE = Aim()
WITHOUT_GRADIENTS = frozenset(("no_grad", "inference_mode"))
"""Contexts in which no gradients are computed."""
_SUITES = frozenset((cst.If, cst.For, cst.While, cst.IndentedBlock, cst.SimpleStatementLine))
"""Nested suites and the lines in them. Each is walked once, and not again for every suite around it."""


class Aims:
    """What the suites of one text lead to."""

    def __init__(self, found: Sequence[Definition]) -> None:
        self.names = frozenset(each.name for each in found)
        calls = {each.name: {name for call in each.calls for name in self._run_by(call)} | each.handed for each in found}
        self.acting = _callers(calls, {each.name for each in found if any(is_trigger(called(call)) for call in each.calls)})
        """The names of functions that affect training, or that call such a function."""
        self.leading = _callers(calls, {each.name for each in found if any(map(is_backward, each.calls))})
        self.building = _callers(calls, {each.name for each in found if any(map(_is_built, map(called, each.calls)))})
        self._known: dict[int, Aim] = {}
        self.looping = _callers(calls, {each.name for each in found if _circles(each, self.leading)})

    def of(self, node: cst.CSTNode | None) -> Aim:
        """What a suite leads to."""
        if node is None:
            return _NONE
        if id(node) not in self._known:
            for inner in reversed([each for each in walk(node) if type(each) in _SUITES]):
                if id(inner) not in self._known:
                    self._known[id(inner)] = self._of(inner)
            self._known[id(node)] = self._of(node)
        return self._known[id(node)]

    def _of(self, node: cst.CSTNode) -> Aim:
        """What a suite leads to, given the results for the suites inside of it."""
        matters = leads = loops = schedules = builds = freezes = False
        rest: list[cst.CSTNode] = [node]
        while rest:
            each = rest.pop()
            known = self._known.get(id(each)) if type(each) in _SUITES else None
            if known is not None:
                matters, leads = matters or known.matters, leads or known.leads
                loops, schedules = loops or known.loops, schedules or known.schedules
                builds, freezes = builds or known.builds, freezes or known.freezes
                continue
            rest.extend(subnodes(each) if type(each) is not cst.WithItem or not hinders(each.item) else ())
            if type(each) is cst.Call:
                name = called(each)
                run = self._run_by(each)
                matters = matters or is_trigger(name) or not self.acting.isdisjoint(run)
                leads = leads or not self.leading.isdisjoint(run) or is_backward(each)
                loops = loops or not self.looping.isdisjoint(run)
                schedules = schedules or role_of_constructor(name) is Role.SCHEDULER
                builds = builds or name in self.building or _is_built(name)
                freezes = freezes or hinders(each)
            elif type(each) is cst.AssignTarget or type(each) is cst.AugAssign:
                target = last_name(each.target) or ""
                matters = matters or target == "grad" or LOSS_SPELLING.search(target) is not None
            elif type(each) is cst.For or type(each) is cst.While:
                loops = loops or self.of(each.body).leads
        return Aim(matters, leads, loops, schedules, builds, freezes)

    def _run_by(self, call: cst.Call) -> set[str]:
        """The last names of what a call runs: the callee, and functions of the text that it passes on: `spawn(train, ...)`."""
        passed = (each.value.value for each in call.args if type(each.value) is cst.Name)
        return {called(call), *(name for name in passed if name in self.names)}


def hinders(node: cst.CSTNode) -> bool:
    """Whether an expression is a context in which no gradients are computed."""
    return type(node) is cst.Call and not node.args and last_name(node.func) in WITHOUT_GRADIENTS


def called(call: cst.Call) -> str:
    """The last name of the callee. It is empty for `model.train()`, which only sets a mode."""
    name = last_name(call.func) or ""
    return "" if name == "train" and isinstance(call.func, cst.Attribute) and not call.args else name


def _is_built(name: str) -> bool:
    """Whether a call of this name makes an optimizer."""
    return role_of_constructor(name) is Role.OPTIMIZER


def _callers(calls: Mapping[str, Set[str]], names: set[str]) -> frozenset[str]:
    """Some functions, and everything that calls them directly or indirectly, by name. `calls` maps functions to their callees."""
    while True:
        more = {name for name, callees in calls.items() if name not in names and not names.isdisjoint(callees)}
        if not more:
            return frozenset(names - _COMMON)
        names |= more


def _circles(definition: Definition, leading: frozenset[str]) -> bool:
    """Whether a function has a loop that leads to a backward pass."""
    wanted = {id(each) for each in definition.calls if is_backward(each) or called(each) in leading}
    loops = [each for each in walk(definition.node.body) if type(each) is cst.For or type(each) is cst.While] if wanted else ()
    return any(not wanted.isdisjoint(map(id, walk(each.body))) for each in loops)
