"""Finds what may divide a loss: the names of the accumulation steps in a text, and the names they are passed on to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from typing import Any

from gradlint.model.names.vocabulary import Taught
from gradlint.relevance.call_graph import Reach
from gradlint.relevance.unit_contents import Contents, fields_of, last_name

_DIVIDING = frozenset("div div_ true_divide divide".split())
_MULTIPLYING = frozenset("mul mul_ multiply".split())
_SAME = frozenset("int float max get getattr".split())
"""Calls that return the count they get, or look it up."""

_WORD = re.compile(r"[^\W\d]\w*")


def names_in(node: ast.AST) -> Iterator[str]:
    """Every name and attribute of an expression, and every word of a string in it."""
    stack: list[Any] = [node]
    while stack:
        each = stack.pop()
        kind = type(each)
        if kind is ast.Name:
            yield each.id
        elif kind is ast.Constant:
            if type(each.value) is str:
                yield from _WORD.findall(each.value)
        elif kind is list:
            stack.extend(each)
        elif kind is str:
            yield each
        else:
            stack.extend(getattr(each, name) for name in fields_of(kind))  # type: ignore[arg-type]  # every class is hashable


class Divisors:
    """Answers questions about one text. Without a step in reach, only a name can show what counts accumulation steps."""

    def __init__(self, reach: Reach, taught: Taught) -> None:
        self._reach = reach
        self._units = reach.units
        self._taught = taught
        self._known: dict[int, dict[str, set[str]]] = {}
        self._parameters: dict[str | None, tuple[list[list[str]], set[str]]] = {}

    def may_divide(self, numbers: Iterable[int]) -> bool:
        """Whether some units divide by possible accumulation steps, or multiply by their inverse."""
        contents = [self._units[number].contents for number in numbers]
        if any("accumulate" in each.called for each in contents) and any(any(_factors(each)) for each in contents):
            return True  # the engine's count may be a plain number
        return any(map(self._tells, (factor for each in contents for factor in _factors(each))))

    def _tells(self, factor: tuple[ast.AST, bool]) -> bool:
        node, divides = factor
        if not self._spelled:
            return False
        return self._is_count(node) if divides else not self._inverses.isdisjoint(_aliases(node))

    def _is_count(self, node: ast.AST) -> bool:
        """Whether an expression may be the accumulation steps, by its own words or by a name that they were passed on to."""
        return not (self._spelled.isdisjoint(names_in(node)) and self._counts.isdisjoint(_aliases(node)))

    @cached_property
    def _spelled(self) -> frozenset[str]:
        """The words of the text that are typical names of accumulation steps."""
        return frozenset(word for word in self._units.words if self._taught.spells_steps(word))

    @cached_property
    def _counts(self) -> frozenset[str]:
        """The last parts of names that may hold the accumulation steps."""
        return self._closed(self._spelled)

    @cached_property
    def _inverses(self) -> frozenset[str]:
        """The last parts of names that may hold the inverse of the accumulation steps."""
        made = (
            name
            for number in self._holding(self._counts)
            for value, names in self._given(number)
            if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div) and self._is_count(value.right)
            for name in names
        )
        return self._closed(frozenset(made))

    def _closed(self, names: frozenset[str]) -> frozenset[str]:
        """The given names, plus all names that their values are passed on to."""
        found, new = {*names}, {*names}
        while new:
            held = [self._handed_on(number) for number in self._holding(new)]
            new = set().union(*(names for each in held for name, names in each.items() if name in found)) - found
            found |= new
        return frozenset(found)

    def _holding(self, names: Set[str]) -> Iterator[int]:
        return (n for n, unit in enumerate(self._units.all) if any(name in unit.text for name in names))

    def _handed_on(self, number: int) -> dict[str, set[str]]:
        """The names that receive a value in a unit, by the last part of the name that the model knows that value under."""
        if number not in self._known:
            known: dict[str, set[str]] = {}
            for value, names in self._given(number):
                for alias in _aliases(value):
                    known.setdefault(alias, set()).update(names)
            self._known[number] = known
        return self._known[number]

    def _given(self, number: int) -> Iterator[tuple[ast.AST, Iterable[str]]]:
        """Values in a unit with the last parts of the names that each may get, by assignment or as an argument."""
        contents = self._units[number].contents
        for target, value in contents.bindings:
            yield from ((each, (name,)) for name, each in _bound(target, value))
        for call in contents.calls:
            yield from ((keyword.value, (keyword.arg,)) for keyword in call.keywords if keyword.arg is not None)
            if call.args:
                yield from self._passed(call)

    def _passed(self, call: ast.Call) -> Iterator[tuple[ast.AST, Iterable[str]]]:
        """Positional arguments with the possible names of their parameters. The first parameter may be the object itself."""
        name = last_name(call.func)
        if name not in self._parameters:
            found = [[each.arg for each in (*known.posonlyargs, *known.args)] for known in self._reach.signatures(name)]
            self._parameters[name] = found, {name for names in found for name in names}
        signatures, anywhere = self._parameters[name]
        starred = any(isinstance(value, ast.Starred) for value in call.args)
        for place, value in enumerate(call.args if signatures else ()):
            yield value, anywhere if starred else {name for names in signatures for name in names[place : place + 2]}


def _aliases(node: ast.AST) -> Iterator[str]:
    """The last parts of the names that the model knows a value under, if it comes from a name or an attribute."""
    if isinstance(node, ast.Subscript):
        yield from names_in(node.slice)
        yield from _aliases(node.value)
    elif isinstance(node, ast.Call) and last_name(node.func) in _SAME:
        for given in node.args:
            yield from _aliases(given)
    elif isinstance(node, ast.Constant):
        yield from names_in(node)
    elif isinstance(node, (ast.Name, ast.Attribute)):
        yield node.id if isinstance(node, ast.Name) else node.attr


def _factors(contents: Contents) -> Iterator[tuple[ast.AST, bool]]:
    """The divisors (True) and the factors (False) in a unit."""
    for node in contents.scales:
        divides = isinstance(node.op, ast.Div)
        if isinstance(node, ast.AugAssign):
            yield node.value, divides
        else:
            yield node.right, divides
            if not divides:
                yield node.left, False
    for call in contents.calls:
        name = last_name(call.func)
        if name in _DIVIDING or name in _MULTIPLYING:
            yield from ((given, name in _DIVIDING) for given in call.args)


def _bound(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        for place, each in enumerate(target.elts):
            yield from _bound(each, values[place] if len(values) == len(target.elts) else value)
    elif isinstance(target, ast.Starred):
        yield from _bound(target.value, value)
    else:
        name = last_name(target)
        if name is not None:
            yield name, value
