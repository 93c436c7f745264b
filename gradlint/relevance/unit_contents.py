"""What the code of a unit calls, reads, binds and computes, by one walk over its nodes."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gradlint.model.names.vocabulary import is_trigger

_UNCALLED = frozenset({"ctx", "op", "ops", "type_comment", "kind", "names", "lineno"})
"""Fields of nodes below which nothing is called or read."""

_DIVIDING = frozenset({"div", "div_", "mul", "mul_"})
"""As in the model's facts: calls for which a function is worth following."""


@dataclass(eq=False)
class Contents:
    """Filled once by `contents_of` and read only afterwards."""

    read: set[str] = field(default_factory=set)
    """Names and attributes, wherever they stand."""

    called: set[str] = field(default_factory=set)
    """Last names of what is called."""

    calls: list[ast.Call] = field(default_factory=list)
    defines: set[str] = field(default_factory=set)
    """Functions and classes, at whatever depth."""

    classes: set[str] = field(default_factory=set)
    bases: set[str] = field(default_factory=set)
    """The last names of what these classes derive from."""

    gives: set[str] = field(default_factory=set)
    """Attributes of `self` that get a value."""

    keys: set[str] = field(default_factory=set)
    """What is written out as a key of a dictionary."""

    imports: set[tuple[str, str]] = field(default_factory=set)
    """Names that are imported, each with what stands for its origin."""

    scales: list[ast.BinOp | ast.AugAssign] = field(default_factory=list)
    """Divisions and products."""

    bindings: list[tuple[ast.expr, ast.expr]] = field(default_factory=list)
    """What is assigned to, with what it gets."""

    signatures: list[tuple[str, ast.arguments]] = field(default_factory=list)
    """Functions by their names, with their parameters."""

    builds: bool = False
    """What a call returns is returned."""

    computes: bool = False
    """It divides, or leaves a remainder, or writes a gradient."""

    @property
    def acts(self) -> bool:
        """Whether the model follows a call of it, for what it does itself; at times True where the model does not."""
        return self.computes or not self.called.isdisjoint(_DIVIDING) or any(map(_is_trigger, self.called))


_is_trigger = cache(is_trigger)


def last_name(node: ast.AST) -> str | None:
    """As the model's `last_name`, over `ast`."""
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
    """The contents of some statements and expressions."""
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
        for name in fields_of(kind):  # type: ignore[arg-type]  # every class can be hashed
            value = getattr(node, name)
            if type(value) is list:
                stack.extend(value)
            elif value is not None:
                stack.append(value)
    return found


@cache
def fields_of(kind: type) -> tuple[str, ...]:
    """The fields in which nodes may stand; none for what is no node, and for a literal."""
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
