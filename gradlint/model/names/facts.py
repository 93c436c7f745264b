"""Facts about a module, collected before any loop is examined: imports, definitions, class attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import UNTAUGHT, Taught, is_trigger
from gradlint.model.page import BLANK, Page
from gradlint.model.syntax.expressions import argument, dotted, last_name, literal, text
from gradlint.model.syntax.tree import Runs, Tree

_BINDS: tuple[Any, ...] = (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.NamedExpr, cst.For)
"""Nodes with a `target` that is assigned."""

_STRINGS = (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString)


@dataclass(frozen=True, eq=False)
class Function:
    """A function or method of the module, and what it calls."""

    node: cst.FunctionDef
    qualname: str
    owner: str | None
    parent: Function | None
    calls: frozenset[str]
    divides: bool

    @property
    def params(self) -> tuple[cst.Param, ...]:
        given = self.node.params
        return (*given.posonly_params, *given.params, *given.kwonly_params)


@dataclass(frozen=True, eq=False)
class AttributeValue:
    """A `self.name = value` in a class, with the method that contains it."""

    value: cst.BaseExpression
    method: Function


@dataclass(eq=False)
class Facts:
    """The facts of a module. Filled once by `collect`, and only read after that."""

    imports: dict[str, str] = field(default_factory=dict)
    import_nodes: list[cst.CSTNode] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    by_name: dict[str, Function] = field(default_factory=dict)
    methods: dict[tuple[str, str], Function] = field(default_factory=dict)
    bases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: dict[tuple[str, str], list[AttributeValue]] = field(default_factory=dict)
    defaults: dict[str, cst.BaseExpression | None] = field(default_factory=dict)
    statements: tuple[cst.BaseStatement, ...] = ()
    tree: Tree = field(default_factory=lambda: Tree(()))
    words: Taught = UNTAUGHT
    page: Page = BLANK

    @cached_property
    def constructed(self) -> frozenset[str]:
        """The qualified names of everything called in the module."""
        names = {dotted(call.func) or "" for statement in self.statements for call in self.tree.calls(statement)}
        return frozenset(map(self.full_name, names))

    @cached_property
    def called(self) -> frozenset[str]:
        """The last parts of the names of everything called in the module."""
        return frozenset(name.rsplit(".", 1)[-1] for name in self.constructed) | frozenset(
            name for function in self.functions for name in function.calls
        )

    def qualify(self, node: cst.CSTNode) -> str:
        """The full dotted name that an expression refers to, with imports and aliases resolved."""
        return self.full_name(dotted(node) or "")

    def full_name(self, name: str) -> str:
        """A dotted name, with its first part replaced by what it was imported from."""
        first, _, rest = name.partition(".")
        full = self.imports.get(first, first)
        return f"{full}.{rest}" if rest else full

    def method(self, owner: str | None, name: str) -> Function | None:
        """The method of a class in this module, looked up through its bases in this module."""
        seen: set[str] = set()
        queue = [owner] if owner else []
        while queue:
            current = queue.pop(0)
            if current in seen:
                continue
            seen.add(current)
            if (current, name) in self.methods:
                return self.methods[current, name]
            queue.extend(self.bases.get(current, ()))
        return None

    def attribute(self, owner: str, name: str) -> list[AttributeValue]:
        """Every value assigned to `self.name` in methods of the class or of its bases in this module."""
        found = list(self.attributes.get((owner, name), ()))
        for base in self.bases.get(owner, ()):
            if base != owner:
                found.extend(self.attributes.get((base, name), ()))
        return found


def collect(statements: Sequence[cst.BaseStatement], words: Taught = UNTAUGHT, page: Page = BLANK) -> Facts:
    """Collect the facts of a module from its top-level statements."""
    facts = Facts(statements=tuple(statements), words=words, tree=Tree(statements), page=page)
    _scan_suite(facts, statements, prefix="", owner=None, parent=None)
    return facts


def _scan_suite(facts: Facts, body: Iterable[cst.CSTNode], prefix: str, owner: str | None, parent: Function | None) -> None:
    for statement in body:
        if type(statement) is cst.SimpleStatementLine:
            for small in statement.body:
                _scan_small(facts, small, owner, parent)
        elif type(statement) is cst.FunctionDef:
            _scan_function(facts, statement, prefix, owner, parent)
        elif type(statement) is cst.ClassDef:
            name = statement.name.value
            facts.bases[name] = tuple(filter(None, (last_name(arg.value) for arg in statement.bases)))
            _scan_suite(facts, statement.body.body, f"{prefix}{name}.", name, None)
        else:
            for suite in suites(statement):
                _scan_suite(facts, suite, prefix, owner, parent)


def suites(statement: cst.CSTNode) -> Iterator[Sequence[cst.CSTNode]]:
    """The bodies of a compound statement, including `elif` and `else` branches and handlers."""
    body = getattr(statement, "body", None)
    if isinstance(body, (cst.IndentedBlock, cst.SimpleStatementSuite)):
        yield body.body if isinstance(body, cst.IndentedBlock) else (cst.SimpleStatementLine(body=body.body),)
    for name in ("orelse", "finalbody"):
        arm = getattr(statement, name, None)
        if isinstance(arm, cst.If):
            yield (arm,)
        elif arm is not None:
            yield from suites(arm)
    for name in ("handlers", "cases"):
        for arm in getattr(statement, name, ()):
            yield from suites(arm)


def _scan_function(facts: Facts, node: cst.FunctionDef, prefix: str, owner: str | None, parent: Function | None) -> None:
    body = facts.tree.own(node.body)
    names, divides = _uses(facts.tree, body)
    qualname = f"{prefix}{node.name.value}"
    function = Function(node, qualname, owner, parent, names, divides)
    facts.functions.append(function)
    is_method = owner is not None and parent is None
    if is_method and owner:
        facts.methods.setdefault((owner, node.name.value), function)
    else:
        facts.by_name.setdefault(node.name.value, function)
    for suite in suites(node):
        _scan_suite(facts, suite, f"{qualname}.", owner, function)


def _uses(tree: Tree, body: Runs) -> tuple[frozenset[str], bool]:
    """The names of everything a function calls, without nested functions, and whether it divides anything."""
    names = {name for call in tree.at(cst.Call, *body) if (name := last_name(call.func))}
    divides = not names.isdisjoint(("div", "div_", "mul", "mul_")) or any(_divisions(tree, body))
    targets: tuple[cst.AssignTarget | cst.AugAssign, ...] = (*tree.at(cst.AssignTarget, *body), *tree.at(cst.AugAssign, *body))
    if any(last_name(each.target) == "grad" for each in targets):
        names.add("grad")
    return frozenset(names), divides


def _divisions(tree: Tree, body: Runs) -> Iterator[bool]:
    for kind in (cst.Divide, cst.DivideAssign):
        yield bool(tree.at(kind, *body))
    # A remainder may be a boundary, but string formatting is not.
    yield any(
        type(each.operator) is cst.Modulo and not isinstance(each.left, _STRINGS) for each in tree.at(cst.BinaryOperation, *body)
    )


def _scan_small(facts: Facts, small: cst.CSTNode, owner: str | None, parent: Function | None) -> None:
    if type(small) is cst.Import or type(small) is cst.ImportFrom:
        facts.import_nodes.append(small)
        facts.imports.update(_imported(small))
    elif type(small) is cst.Assign:
        for target in small.targets:
            _scan_attribute(facts, target.target, small.value, owner, parent)
    elif type(small) is cst.AnnAssign and small.value is not None:
        _scan_attribute(facts, small.target, small.value, owner, parent)
    elif type(small) is cst.Expr and type(small.value) is cst.Call:
        if last_name(small.value.func) in ("add_argument", "add_arg"):
            _scan_option(facts, small.value)


def _scan_attribute(
    facts: Facts, target: cst.CSTNode, value: cst.BaseExpression, owner: str | None, parent: Function | None
) -> None:
    if type(target) is cst.Tuple and owner and parent:
        values = value.elements if isinstance(value, cst.Tuple) else ()
        for index, element in enumerate(target.elements):
            each = values[index].value if index < len(values) else value
            _scan_attribute(facts, element.value, each, owner, parent)
    elif owner and parent and type(target) is cst.Attribute:
        if type(target.value) is cst.Name and target.value.value == "self":
            facts.attributes.setdefault((owner, target.attr.value), []).append(AttributeValue(value, parent))


def _imported(node: cst.Import | cst.ImportFrom) -> Iterator[tuple[str, str]]:
    if isinstance(node, cst.Import):
        for alias in node.names:
            full = dotted(alias.name) or ""
            if alias.asname is not None:
                yield text(alias.asname.name), full
            else:
                yield full.partition(".")[0], full.partition(".")[0]
    elif not isinstance(node.names, cst.ImportStar):
        module = "." * len(node.relative) + (dotted(node.module) or "" if node.module else "")
        for alias in node.names:
            name = dotted(alias.name) or ""
            yield (text(alias.asname.name) if alias.asname else name), f"{module}.{name}".lstrip(".")


def _scan_option(facts: Facts, call: cst.Call) -> None:
    flags = [literal(arg.value) for arg in call.args if arg.keyword is None]
    dest = argument(call, None, "dest")
    name = literal(dest) if dest is not None else next((f for f in flags if isinstance(f, str) and f[:2] == "--"), None)
    if name is None and flags:
        name = flags[0]
    if isinstance(name, str):
        facts.defaults[name.lstrip("-").replace("-", "_")] = argument(call, None, "default")


def matters(facts: Facts) -> frozenset[str]:
    """The names of functions in the module that reach, directly or indirectly, a call that some rule is about."""
    reached = {f.node.name.value for f in facts.functions if f.divides or any(is_trigger(name) for name in f.calls)}
    growing = True
    while growing:
        more = {f.node.name.value for f in facts.functions if f.node.name.value not in reached and f.calls & reached}
        growing = bool(more)
        reached |= more
    return frozenset(reached)
