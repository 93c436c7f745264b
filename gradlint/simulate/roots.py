"""Where a run begins: the module, and each function that leads to a backward pass and that no known code calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.model.names.vocabulary import BOUNDARY_ARGUMENTS, LOSS_SPELLING, UPDATES, spells_zeroing
from gradlint.model.syntax.expressions import dotted, last_name, subnodes, walk, walk_all

_BACKWARD = frozenset(("backward", "manual_backward"))


@dataclass(frozen=True, eq=False)
class Definition:
    """A function of the text: the class and the function around it, its name, and the calls in its body."""

    node: cst.FunctionDef
    owner: cst.ClassDef | None
    outer: cst.FunctionDef | None
    calls: tuple[cst.Call, ...]

    @property
    def name(self) -> str:
        return self.node.name.value

    @property
    def called(self) -> str:
        """The name by which it is called: its class's name if it is a constructor."""
        return self.owner.name.value if self.owner is not None and self.name == "__init__" else self.name

    @cached_property
    def handed(self) -> frozenset[str]:
        """The methods of the same object that it refers to without calling them."""
        if self.owner is None:
            return frozenset()
        owned = {each.name.value for each in self.owner.body.body if type(each) is cst.FunctionDef}
        called = {id(each.func) for each in self.calls}
        spoken = (each for each in walk(self.node.body) if type(each) is cst.Attribute and id(each) not in called)
        return frozenset(each.attr.value for each in spoken if dotted(each.value) == "self") & owned


_AROUND = frozenset((cst.If, cst.Try, cst.With, cst.For, cst.While, cst.IndentedBlock, cst.Else, cst.ExceptHandler, cst.Finally))
"""Nodes that may contain functions."""


def definitions(statements: Iterable[cst.CSTNode]) -> list[Definition]:
    """All functions of the text, outer ones first."""
    found: list[Definition] = []
    stack: list[tuple[cst.CSTNode, cst.ClassDef | None, cst.FunctionDef | None]] = [(each, None, None) for each in statements]
    stack.reverse()
    while stack:
        node, owner, outer = stack.pop()
        if type(node) is cst.FunctionDef:
            found.append(Definition(node, owner, outer, tuple(own_calls(node.body))))
            stack.extend((each, None, node) for each in reversed(subnodes(node.body)))
        elif type(node) is cst.ClassDef:
            stack.extend((each, node, outer) for each in reversed(subnodes(node.body)))
        elif type(node) in _AROUND:
            stack.extend((each, owner, outer) for each in reversed(subnodes(node)))
    return found


def own_calls(node: cst.CSTNode) -> list[cst.Call]:
    """The calls below a node."""
    return [each for each in walk(node) if type(each) is cst.Call]


def backwards(statements: Iterable[cst.CSTNode]) -> list[cst.Call]:
    """The calls that look like a backward pass."""
    return backwards_among(walk_all(statements))


def backwards_among(nodes: Iterable[cst.CSTNode]) -> list[cst.Call]:
    """Those nodes that are calls and look like a backward pass."""
    return [each for each in nodes if type(each) is cst.Call and is_backward(each)]


def is_backward(call: cst.Call) -> bool:
    """Whether a call looks like a backward pass, or like a wrapper that runs one."""
    return last_name(call.func) in _BACKWARD or _wraps(call)


def updates(name: str) -> bool:
    """Whether the name of a call suggests that it is a part of an update: a step, or a zeroing."""
    return name == "step" or name in UPDATES or spells_zeroing(name)


def _wraps(call: cst.Call) -> bool:
    """`loss_scaler(loss, optimizer, ..., update_grad=...)`."""
    if len(call.args) < 2 or not LOSS_SPELLING.search(last_name(call.args[0].value) or ""):
        return False
    flagged = any(arg.keyword is not None and arg.keyword.value in BOUNDARY_ARGUMENTS for arg in call.args)
    return flagged or (last_name(call.func) or "").lower().endswith("scaler")


def reached(definition: Definition) -> frozenset[str]:
    """The last names of the functions that a function calls, and the methods that it passes on."""
    return definition.handed.union(last_name(call.func) or "" for call in definition.calls)


def starts(found: Sequence[Definition], wanted: set[int]) -> list[Definition]:
    """The functions from which a wanted call may be reached, the outermost callers first."""
    reaching = {id(each.node): any(id(call) in wanted for call in each.calls) for each in found}
    names = {each.name for each in found if reaching[id(each.node)]}
    depth = {each.name: 0 for each in found if reaching[id(each.node)]}
    for level in range(1, 12):
        more = [each for each in found if each.name not in names and not names.isdisjoint(reached(each))]
        if not more:
            break
        for each in more:
            names.add(each.name)
            depth[each.name] = level
    chosen = [each for each in found if each.name in names and each.name not in _BACKWARD]
    return sorted(chosen, key=lambda each: (each.outer is not None, -depth.get(each.name, 0)))
