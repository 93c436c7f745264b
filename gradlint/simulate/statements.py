"""Compiles LibCST's statements to closures over a frame.

A statement is a plain closure, or a generator function if it contains others: it yields what a function of the text yields.
Either returns None, or a signal that says why the following statements do not run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import libcst as cst

from gradlint.model.syntax.expressions import subnodes, text
from gradlint.simulate.aims import Aims
from gradlint.simulate.blocks import Block, Flowing, Signal, run_block
from gradlint.simulate.branches import branch, match
from gradlint.simulate.callables import Frame
from gradlint.simulate.definitions import define_class, define_function
from gradlint.simulate.guarded import try_block, with_block
from gradlint.simulate.loops import for_loop, while_loop
from gradlint.simulate.simple import simple_statement

Read = TypeVar("Read")


@dataclass(frozen=True)
class _Suite:
    body: Sequence[Any]


class Compiler:
    """Compiles the statements of one text. `aims` says what in it leads to training."""

    def __init__(self, aims: Aims, modules: Mapping[str, Sequence[Any]] = MappingProxyType({})) -> None:
        """`modules` maps the path of each importable module to the statements that run on import."""
        self.aims = aims
        self._modules = modules
        self._compiled: dict[str, Block] = {}
        self.ahead = False
        """Whether a later statement leads to a loop around a backward pass."""
        self.numbered: dict[int, cst.For] = {}
        """The loops over an `enumerate` call, by that call. They iterate over its argument directly."""
        self._bodies: dict[int, Block] = {}
        self._texts: dict[int, str] = {}
        self._places: dict[int, int] = {}
        self._yields: dict[int, bool] = {}
        self._read: dict[tuple[Callable[[Any], Any], int], Any] = {}

    def block(self, node: Any, qualname: str = "") -> Block:
        """Compile the statements of a suite, or of a module."""
        found: list[tuple[bool, Callable[[Frame], Any]]] = []
        ahead = self.ahead
        last = max((place for place, each in enumerate(node.body) if self.aims.of(each).loops), default=-1)
        for place, statement in enumerate(node.body):
            self.ahead = ahead or place < last
            if isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    found.extend(simple_statement(small))
            elif isinstance(statement, cst.BaseSmallStatement):
                found.extend(simple_statement(statement))
            else:
                found.append(self.compound(statement, qualname))
        self.ahead = ahead
        return tuple(found)

    def module(self, path: str) -> Block:
        """The compiled statements of a module, compiled on first import."""
        if path not in self._compiled:
            self.ahead, ahead = False, self.ahead
            self._compiled[path] = self.suite(self._modules.get(path, ()))
            self.ahead = ahead
        return self._compiled[path]

    def suite(self, statements: Sequence[Any]) -> Block:
        """The compiled statements of a module, or of a part of it."""
        return self.block(_Suite(statements))

    def body_of(self, function: Any) -> Block:
        """The compiled body of a function, compiled on its first call."""
        key = id(function.node)
        if key not in self._bodies:
            self.ahead = False
            self._bodies[key] = self.block(function.node.body, f"{function.qualname}.<locals>")
        return self._bodies[key]

    def trains(self, function: Any) -> bool:
        """Whether the body of a function leads to a backward pass."""
        return self.aims.of(getattr(function.node, "body", None)).leads

    def spelled(self, node: cst.CSTNode) -> str:
        """The text of a node, cached."""
        key = id(node)
        if key not in self._texts:
            self._texts[key] = text(node)
        return self._texts[key]

    def once(self, read: Callable[[cst.CSTNode], Read], node: cst.CSTNode) -> Read:
        """What a function reads in a node of the text, which is the same in every run."""
        key = read, id(node)
        if key not in self._read:
            self._read[key] = read(node)
        found: Read = self._read[key]
        return found

    def place(self, node: cst.CSTNode) -> int:
        """A number for a node, used to distinguish unknown objects by where they come from."""
        return self._places.setdefault(id(node), len(self._places))

    def run_plain(self, block: Block, frame: Frame) -> Signal:
        """Run statements that do not yield."""
        running = run_block(block, frame)
        try:
            while True:
                next(running)
        except StopIteration as stop:
            return stop.value

    def yields(self, function: cst.CSTNode) -> bool:
        """Whether a function is a generator. Computed on its first call, since most functions of a text are never called."""
        key = id(function)
        if key not in self._yields:
            self._yields[key] = type(function) is cst.FunctionDef and _yields(function.body)
        return self._yields[key]

    def compound(self, node: Any, qualname: str) -> tuple[bool, Callable[[Frame], Any]]:
        """The closure of a statement that contains others."""
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            name = node.name.value
            within = f"{qualname}.{name}".lstrip(".")
            define: Callable[[Frame], Any] = (
                define_function(node, self, within) if isinstance(node, cst.FunctionDef) else define_class(node, self, within)
            )

            def run(frame: Frame) -> None:
                frame.machine.tick(node)
                frame.bind(name, define(frame))

            return False, run
        make = _COMPOUND.get(type(node))
        return (True, make(self, node)) if make is not None else (False, lambda frame: None)


_COMPOUND: dict[type, Callable[[Any, Any], Flowing]] = {
    cst.If: branch,
    cst.For: for_loop,
    cst.While: while_loop,
    cst.With: with_block,
    cst.Try: try_block,
    cst.TryStar: try_block,
    cst.Match: match,
}


def _yields(body: cst.CSTNode) -> bool:
    """Whether a body makes its function a generator."""
    stack = [body]
    while stack:
        node = stack.pop()
        if type(node) is cst.Yield:
            return True
        if type(node) not in _SCOPES:
            stack.extend(subnodes(node))
    return False


_SCOPES = frozenset((cst.FunctionDef, cst.ClassDef, cst.Lambda))
"""Nodes with a separate body: a `yield` there is not the outer function's."""
