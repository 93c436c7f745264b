"""What a piece of code reads from outside, and chains of attributes in it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator


class _Order(ast.NodeVisitor):
    """Visits names in the order in which they are evaluated, and notes those that are read before they are bound."""

    def __init__(self) -> None:
        self.free: dict[str, int] = {}
        self.bound: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            if node.id not in self.bound and not hasattr(builtins, node.id):
                self.free.setdefault(node.id, node.lineno)
        else:
            self.bound.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.visit_Name(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target))
        self.visit(node.value)
        self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        for each in (node.value, node.target):
            if each is not None:
                self.visit(each)

    def visit_For(self, node: ast.For) -> None:
        for each in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(each)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for each in (node.iter, node.target, *node.ifs):
            self.visit(each)

    def _visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        before = set(self.bound)
        for each in node.generators:
            self.visit(each)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(part)
        self.bound = before

    visit_ListComp = _visit_comprehension  # noqa: N815
    visit_SetComp = _visit_comprehension  # noqa: N815
    visit_GeneratorExp = _visit_comprehension  # noqa: N815
    visit_DictComp = _visit_comprehension  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        before = set(self.bound)
        self.bound |= {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        self.visit(node.body)
        self.bound = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.bound.add(node.name)
        before = set(self.bound)
        self.bound |= {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        for each in node.body:
            self.visit(each)
        self.bound = before


def free_names(nodes: Iterable[ast.AST]) -> dict[str, int]:
    """The names that some statements read before they bind them, in their order, with the lines where they do."""
    order = _Order()
    for each in nodes:
        order.visit(each)
    return order.free


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that some statements bind."""
    return {
        each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)
    }


def path_of(node: ast.AST) -> tuple[str, ...]:
    """The parts of `a.b.c`; empty if a node is something else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def root_of(node: ast.AST) -> str:
    """The leftmost name of a chain of attributes, subscripts and calls; "" if there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call, ast.Starred, ast.Await)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def chains(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.Attribute, tuple[str, ...], bool]]:
    """Yield the whole chains of attributes with their parts, and whether they are called."""
    every = [each for node in nodes for each in ast.walk(node)]
    inner = {id(each.value) for each in every if isinstance(each, ast.Attribute)}
    called = {id(each.func) for each in every if isinstance(each, ast.Call)}
    for each in every:
        if isinstance(each, ast.Attribute) and id(each) not in inner and (path := path_of(each)):
            yield each, path, id(each) in called
