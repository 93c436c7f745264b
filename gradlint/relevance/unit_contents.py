"""Collects what the code of a unit calls, reads, binds and computes, in one walk over its nodes."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gradlint.model.names.vocabulary import is_trigger

_UNCALLED = frozenset({"ctx", "op", "ops", "type_comment", "kind", "names", "lineno"})
"""Fields of nodes that contain no calls or reads."""

_DIVIDING = frozenset({"div", "div_", "mul", "mul_"})
"""Calls that make a function worth following, as in the model's facts."""


@dataclass(eq=False)
class Contents:
    """Filled once by `contents_of`, and only read after that."""

    read: set[str] = field(default_factory=set)
    """All names and attributes."""

    called: set[str] = field(default_factory=set)
    """The last parts of the names of everything called."""

    calls: list[ast.Call] = field(default_factory=list)
    defines: set[str] = field(default_factory=set)
    """Functions and classes, including nested ones."""

    classes: set[str] = field(default_factory=set)
    bases: set[str] = field(default_factory=set)
    """The last parts of the names of these classes' bases."""

    gives: set[str] = field(default_factory=set)
    """Attributes of `self` that are assigned."""

    keys: set[str] = field(default_factory=set)
    """String keys of dictionary literals."""

    imports: set[tuple[str, str]] = field(default_factory=set)
    """Imported names, each with a string that identifies its origin."""

    scales: list[ast.BinOp | ast.AugAssign] = field(default_factory=list)
    """Divisions and products."""

    bindings: list[tuple[ast.expr, ast.expr]] = field(default_factory=list)
    """Assignment targets with their values."""

    signatures: list[tuple[str, ast.arguments]] = field(default_factory=list)
    """The names of functions, with their parameters."""

    builds: bool = False
    """Whether a function returns the result of a call."""

    computes: bool = False
    """Whether the unit divides, takes a remainder or writes a gradient."""

    @property
    def acts(self) -> bool:
        """Whether the model follows a call of the unit for what it does itself. May be True if the model does not."""
        return self.computes or not self.called.isdisjoint(_DIVIDING) or any(map(_is_trigger, self.called))


_is_trigger = cache(is_trigger)


def last_name(node: ast.AST) -> str | None:
    """Like the model's `last_name`, for `ast` nodes."""
    while True:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return node.attr
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return node.slice.value
        if not isinstance(node, (ast.Call, ast.Subscript)):
            return None
        node = node.func if isinstance(node, ast.Call) else node.value


def contents_of(nodes: Iterable[ast.AST]) -> Contents:
    """Collect the contents of some statements and expressions."""
    found = Contents()
    stack: list[Any] = list(nodes)
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is ast.Name:
            found.read.add(node.id)
            continue
        if kind is ast.Attribute:
            found.read.add(node.attr)
            stack.append(node.value)
            if type(node.ctx) is ast.Store and type(node.value) is ast.Name and node.value.id == "self":
                found.gives.add(node.attr)
            continue
        visit = _VISITORS.get(kind)
        if visit is not None:
            visit(found, node)
        for name in fields_of(kind):  # type: ignore[arg-type]  # every class is hashable
            value = getattr(node, name)
            if type(value) is list:
                stack.extend(value)
            elif value is not None:
                stack.append(value)
    return found


@cache
def fields_of(kind: type) -> tuple[str, ...]:
    """The fields that may contain nodes. Empty for literals and for anything that is not a node."""
    if not issubclass(kind, ast.AST) or kind is ast.Constant:
        return ()
    return tuple(name for name in kind._fields if name not in _UNCALLED)


def _call(found: Contents, node: ast.Call) -> None:
    found.calls.append(node)
    name = last_name(node.func)
    if name is not None:
        found.called.add(name)


def _operation(found: Contents, node: ast.BinOp) -> None:
    kind = type(node.op)
    if kind is ast.Div or kind is ast.Mult:
        found.scales.append(node)
    found.computes = found.computes or kind is ast.Div or kind is ast.Mod


def _augmented(found: Contents, node: ast.AugAssign) -> None:
    if isinstance(node.op, (ast.Div, ast.Mult)):
        found.scales.append(node)
    found.computes = found.computes or isinstance(node.op, ast.Div) or last_name(node.target) == "grad"
    found.bindings.append((node.target, node.value))


def _bound(found: Contents, node: ast.AnnAssign | ast.NamedExpr) -> None:
    if node.value is not None:
        found.bindings.append((node.target, node.value))


def _assigned(found: Contents, node: ast.Assign) -> None:
    found.bindings.extend((target, node.value) for target in node.targets)
    found.computes = found.computes or any(last_name(target) == "grad" for target in node.targets)


def _definition(found: Contents, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    found.defines.add(node.name)
    found.signatures.append((node.name, node.args))


def _class(found: Contents, node: ast.ClassDef) -> None:
    found.defines.add(node.name)
    found.classes.add(node.name)
    found.bases.update(filter(None, map(last_name, node.bases)))


def _dictionary(found: Contents, node: ast.Dict) -> None:
    found.keys.update(key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def _imported(found: Contents, node: ast.Import | ast.ImportFrom) -> None:
    origin = "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    found.imports.update((each.asname or each.name.partition(".")[0], f"{origin}:{each.name}") for each in node.names)


def _returned(found: Contents, node: ast.Return) -> None:
    found.builds = found.builds or isinstance(node.value, ast.Call)


_VISITORS: dict[type, Any] = {
    ast.Call: _call,
    ast.BinOp: _operation,
    ast.AugAssign: _augmented,
    ast.Assign: _assigned,
    ast.AnnAssign: _bound,
    ast.NamedExpr: _bound,
    ast.FunctionDef: _definition,
    ast.AsyncFunctionDef: _definition,
    ast.ClassDef: _class,
    ast.Dict: _dictionary,
    ast.Import: _imported,
    ast.ImportFrom: _imported,
    ast.Return: _returned,
}
