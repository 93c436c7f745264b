"""Finds where the nodes of a text are: in which function, on which line, in which blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import libcst as cst

from gradlint.model.syntax.expressions import dotted, subnodes, walk

Suite = Sequence[cst.CSTNode]
Node = TypeVar("Node", bound=cst.CSTNode)


@dataclass(frozen=True, eq=False)
class Place:
    """The innermost function of a node (None for the module) and the statements around it with their blocks, innermost first."""

    function: cst.FunctionDef | None
    around: tuple[tuple[cst.CSTNode, Suite], ...]

    @cached_property
    def within(self) -> frozenset[int]:
        """The identities of the statements around it."""
        return frozenset([id(each) for each, _ in self.around])


class Places:
    """The places of all nodes of a text."""

    def __init__(self, statements: Sequence[cst.BaseStatement]) -> None:
        self.module = tuple(statements)
        self._of: dict[int, Place] = {}
        self._below: dict[tuple[int, type], list[Any]] = {}
        for statement in statements:
            self._visit(statement, Place(None, ((statement, self.module),)))

    def _visit(self, node: cst.CSTNode, place: Place) -> None:
        self._of[id(node)] = place
        if type(node) is cst.FunctionDef:
            place = Place(node, place.around)
        suite = node.body if type(node) is cst.IndentedBlock else ()
        inside = {id(each) for each in suite}
        for child in subnodes(node):
            around = ((child, suite), *place.around) if id(child) in inside else place.around
            self._visit(child, Place(place.function, around) if id(child) in inside else place)

    def below(self, node: cst.CSTNode, kind: type[Node]) -> list[Node]:
        """The nodes of a class at or below a node. Cached, because several loops of a text need the same ones."""
        key = id(node), kind
        if key not in self._below:
            self._below[key] = [each for each in walk(node) if type(each) is kind]
        return self._below[key]

    def function_of(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """The innermost function that contains a node, or None for the module."""
        found = self._of.get(id(node))
        return found.function if found is not None else None

    def line_of(self, node: cst.CSTNode) -> cst.SimpleStatementLine | None:
        """The line that contains a node, if it holds only one statement."""
        found = self._of.get(id(node))
        line = found.around[0][0] if found is not None else None
        return line if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None

    def suite_of(self, statement: cst.CSTNode) -> Suite:
        """The block that a statement belongs to."""
        found = self._of.get(id(statement))
        return found.around[0][1] if found is not None else ()

    def piece_of(self, line: cst.CSTNode) -> cst.CSTNode:
        """A line, including the `if` statements that contain nothing else, such as `if average is not None:`."""
        found = self._of[id(line)]
        for (inner, suite), (outer, _) in zip(found.around, found.around[1:], strict=False):
            alone = len(suite) == 1 and isinstance(outer, cst.If) and outer.orelse is None and outer.body.children
            if not alone or not isinstance(outer, cst.If) or outer.body.body is not suite:
                return inner
        return found.around[-1][0]

    def around(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        """The statements around a node within its function, innermost first."""
        found = self._of.get(id(node))
        statements = [each for each, _ in found.around] if found is not None else []
        ends = (index for index, each in enumerate(statements) if isinstance(each, cst.FunctionDef))
        return statements[: next(ends, len(statements))]

    def holds(self, statement: cst.CSTNode, node: cst.CSTNode) -> bool:
        """Whether a statement contains a node."""
        found = self._of.get(id(node))
        return found is not None and id(statement) in found.within

    # Names

    def knows(self, function: cst.FunctionDef | None, name: str) -> bool:
        """Whether a name is known in a function: it is bound there, in an enclosing function, or in the module."""
        around: set[int] = set()
        while function is not None:
            around.add(id(function))
            if any(name in set(bound_by(each)) for each in walk(function)):
                return True
            outer = self._of[id(function)].function
            function = outer if outer is not None and id(outer) not in around else None
        return any(name in set(bound_by(each)) for statement in self.module for each in _outside_of_functions(statement))


def _outside_of_functions(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if not isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        yield node
        for child in subnodes(node):
            yield from _outside_of_functions(child)


def bound_by(node: cst.CSTNode) -> Iterator[str]:
    """The names that a node binds or changes a part of: `count` and `self` for `count = self.seen = 0`."""
    if isinstance(node, cst.Param):
        yield node.name.value
    elif isinstance(node, cst.ImportAlias):
        yield node.evaluated_alias or (dotted(node.name) or "").partition(".")[0]
    else:
        yield from ((dotted(each) or "").partition(".")[0] for each in targets_of(node))


def targets_of(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The names and attributes that a node assigns to: `self.count += 1` assigns to `self.count`, not to `self`."""
    if isinstance(node, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.For, cst.NamedExpr, cst.Del)):
        yield from _given(node.target)
    elif isinstance(node, cst.AsName):
        yield from _given(node.name)


def _given(target: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(target, (cst.Name, cst.Attribute)):
        yield target
    elif isinstance(target, (cst.Tuple, cst.List)):
        for each in target.elements:
            yield from _given(each.value)
    elif isinstance(target, cst.Subscript):
        yield from _given(target.value)
