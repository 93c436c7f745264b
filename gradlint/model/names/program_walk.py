"""Walks the statements of a root function once: calls and definitions in program order, same-file helpers inlined."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from gradlint.model.names.callees import Callees
from gradlint.model.names.facts import Function
from gradlint.model.names.in_place import changed_by
from gradlint.model.names.records import CallSite, Definition, Frame, Trace
from gradlint.model.syntax.expressions import argument, dotted, last_name, root_name, subnodes
from gradlint.model.syntax.paths import Guard, Path

_INERT = frozenset((cst.Name, cst.Integer, cst.SimpleString, cst.Float, cst.Lambda))
"""Expressions that neither call nor bind anything."""

MAX_DEPTH = 7
MAX_ACTIVATIONS = 500


class Walker:
    """The statement walk; one instance a trace."""

    def __init__(self, trace: Trace, relevant: frozenset[str], *, inline: bool = True) -> None:
        self.trace = trace
        self.tree = trace.facts.tree
        self.callees = Callees(trace)
        self.relevant = relevant
        self.inline = inline
        self.active: list[int] = []

    # Suites and statements

    def suite(self, body: Sequence[cst.CSTNode], path: Path, frame: Frame, holder: cst.CSTNode | None) -> str | None:
        """Walk a suite; the answer is how it ends early (continue, return, break, raise), or None."""
        return self.through(body, path, frame, holder)[0]

    def through(
        self, body: Sequence[cst.CSTNode], path: Path, frame: Frame, holder: cst.CSTNode | None
    ) -> tuple[str | None, Path]:
        """As `suite`; and the path at its end, with the arms of what left the iteration on the way."""
        for statement in body:
            if type(statement) is cst.SimpleStatementLine:
                ended: str | None = self.simple_line(statement, path, frame, holder)
            elif type(statement) is cst.If:
                ended, path = self.branch(statement, path, frame, holder)
            elif type(statement) is cst.With:
                ended, path = self.with_block(statement, path, frame, holder)
            else:
                ended = self.compound(statement, path, frame, holder)
            if ended:
                return ended, path
        return None, path

    def body(self, block: cst.BaseSuite, path: Path, frame: Frame) -> str | None:
        if isinstance(block, cst.IndentedBlock):
            return self.suite(block.body, path, frame, block)
        return self.simple_line(block, path, frame, None) if isinstance(block, cst.SimpleStatementSuite) else None

    def simple_line(
        self, line: cst.SimpleStatementLine | cst.SimpleStatementSuite, path: Path, frame: Frame, holder: cst.CSTNode | None
    ) -> str | None:
        alone = line if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None
        for small in line.body:
            if type(small) is cst.Expr:
                self.expression(small.value, path, frame, alone, holder)
                if type(small.value) is cst.Call:
                    for changed in changed_by(small.value, self.trace, frame):
                        value = small.value.args[0].value
                        self.define(changed, value, path, frame, "augment", small.value, alone, receiver=changed)
            elif type(small) is cst.Assign:
                self.expression(small.value, path, frame, alone, holder)
                for target in small.targets:
                    self.define(target.target, small.value, path, frame, "assign", small, alone)
            elif type(small) is cst.AnnAssign and small.value is not None:
                self.expression(small.value, path, frame, alone, holder)
                self.define(small.target, small.value, path, frame, "assign", small, alone)
            elif type(small) is cst.AugAssign:
                self.expression(small.value, path, frame, alone, holder)
                self.define(small.target, small.value, path, frame, "augment", small, alone)
            elif type(small) is cst.Return:
                if small.value is not None:
                    self.expression(small.value, path, frame, alone, holder)
                    self.returned(small.value, path, frame, small, alone)
                return "return"
            elif type(small) is cst.Continue:
                return "continue"
            elif type(small) is cst.Break:
                return "break"
            elif type(small) is cst.Raise:
                return "raise"
        return None

    def branch(self, node: cst.If, path: Path, frame: Frame, holder: cst.CSTNode | None) -> tuple[str | None, Path]:
        """Walk an `if`; what follows it runs under the arm that does not leave the iteration."""
        self.expression(node.test, path, frame, None, None)
        group = (id(node), frame.number, self.tick())
        left, right = _leaves(node.body), isinstance(node.orelse, cst.Else) and _leaves(node.orelse.body)
        taken = self.guard(node, "branch", group, 0, node.test, frame, usual=right, suite=holder)
        other = self.guard(node, "branch", group, 1, node.test, frame, usual=left, suite=holder)
        first = self.body(node.body, (*path, taken), frame)
        second: str | None = None
        if isinstance(node.orelse, cst.If):
            second, _ = self.branch(node.orelse, (*path, other), frame, None)
        elif isinstance(node.orelse, cst.Else):
            second = self.body(node.orelse.body, (*path, other), frame)
        if first and second:
            return (first if first == second else "return"), path
        skips = ("continue", "return")
        if first in skips and not second:
            return None, (*path, self.guard(node, "branch", group, 1, node.test, frame, implied=True, suite=holder))
        if second in skips and not first:
            return None, (*path, self.guard(node, "branch", group, 0, node.test, frame, implied=True, suite=holder))
        return None, path

    def compound(self, node: cst.CSTNode, path: Path, frame: Frame, holder: cst.CSTNode | None) -> str | None:
        if type(node) is cst.For:
            self.expression(node.iter, path, frame, None, None)
            inside = (*path, self.guard(node, "loop", (id(node), frame.number, self.tick()), 0, node.iter, frame, suite=holder))
            self.define(node.target, node.iter, inside, frame, "loop", node, node)
            self.body(node.body, inside, frame)
            self.otherwise(node.orelse, path, frame)
        elif type(node) is cst.While:
            inside = (*path, self.guard(node, "loop", (id(node), frame.number, self.tick()), 0, node.test, frame, suite=holder))
            self.expression(node.test, inside, frame, None, None)
            self.body(node.body, inside, frame)
            self.otherwise(node.orelse, path, frame)
        elif type(node) is cst.Try or type(node) is cst.TryStar:
            ended = self.body(node.body, path, frame)
            for handler in node.handlers:
                guard = self.guard(handler, "handler", (id(handler), frame.number, self.tick()), 0, None, frame)
                self.body(handler.body, (*path, guard), frame)
            self.otherwise(node.orelse, path, frame)
            self.otherwise(node.finalbody, path, frame)
            return ended if not node.handlers else None
        elif type(node) is cst.Match:
            self.expression(node.subject, path, frame, None, None)
            group = (id(node), frame.number, self.tick())
            for arm, case in enumerate(node.cases):
                self.body(case.body, (*path, self.guard(node, "branch", group, arm, node.subject, frame)), frame)
        elif type(node) is cst.FunctionDef:
            function = self.trace.facts.of_node.get(id(node))
            if function is not None:
                self.trace.local_functions[frame.number, node.name.value] = function
        return None

    def otherwise(self, block: cst.Else | cst.Finally | None, path: Path, frame: Frame) -> None:
        if block is not None:
            self.body(block.body, path, frame)

    def with_block(self, node: cst.With, path: Path, frame: Frame, holder: cst.CSTNode | None) -> tuple[str | None, Path]:
        """Walk a `with`; what leaves the iteration in it decides about what follows it, too."""
        inside = path
        for item in node.items:
            self.expression(item.item, inside, frame, None, None)
            guard = self.guard(node, "with", (id(item), frame.number, self.tick()), 0, item.item, frame, suite=holder)
            inside = (*inside, guard)
            if item.asname is not None:
                self.define(item.asname.name, item.item, inside, frame, "with", item, node)
        if not isinstance(node.body, cst.IndentedBlock):
            return self.body(node.body, inside, frame), path
        ended, reached = self.through(node.body.body, inside, frame, node.body)
        return ended, (*path, *reached[len(inside) :])

    def guard(
        self,
        node: cst.CSTNode,
        kind: str,
        group: object,
        arm: int,
        test: cst.BaseExpression | None,
        frame: Frame,
        *,
        implied: bool = False,
        usual: bool = False,
        suite: cst.CSTNode | None = None,
    ) -> Guard:
        return Guard(node, kind, group, arm, test, frame, self.tick(), implied, usual or implied, suite)

    # Expressions

    def expression(
        self, node: cst.CSTNode, path: Path, frame: Frame, alone: cst.CSTNode | None, holder: cst.CSTNode | None
    ) -> None:
        """Record the calls of an expression, innermost first; `alone` is its statement where that holds one part."""
        if type(node) in _INERT or not self.tree.defines_or_calls(node):
            return
        if type(node) is cst.IfExp:
            self.expression(node.test, path, frame, None, None)
            group = (id(node), frame.number, self.tick())
            for arm, part in ((0, node.body), (1, node.orelse)):
                self.expression(part, (*path, self.guard(node, "branch", group, arm, node.test, frame)), frame, None, None)
            return
        if type(node) is cst.BooleanOperation:
            self.expression(node.left, path, frame, None, None)
            arm = 0 if isinstance(node.operator, cst.And) else 1
            group = (id(node), frame.number, self.tick())
            guard = self.guard(node, "branch", group, arm, node.left, frame)
            self.expression(node.right, (*path, guard), frame, None, None)
            return
        for child in subnodes(node):
            if type(child) not in _INERT and self.tree.defines_or_calls(child):
                self.expression(child, path, frame, alone if type(node) is cst.Call and child is node.func else None, None)
        if type(node) is cst.NamedExpr:
            self.define(node.target, node.value, path, frame, "assign", node, None)
        if type(node) is cst.Call:
            self.call(node, path, frame, alone, holder)

    def call(self, node: cst.Call, path: Path, frame: Frame, alone: cst.CSTNode | None, holder: cst.CSTNode | None) -> None:
        self.trace.calls.append(CallSite(node, frame, path, self.tick(), alone, holder))
        name = last_name(node.func)
        if not self.inline or name is None or frame.depth >= MAX_DEPTH:
            return
        if self.trace.frames > MAX_ACTIVATIONS:
            return
        found = self.callees.of(node, frame)
        if found is None:
            return
        function, owner, lexical = found
        if function.node.name.value not in self.relevant or id(function.node) in self.active:
            return
        self.activate(node, function, owner, lexical, path, frame)

    def activate(self, node: cst.Call, function: Function, owner: str | None, lexical: Frame, path: Path, frame: Frame) -> None:
        """Inline one call: parameters become definitions, the body runs in a frame of its own."""
        trace = self.trace
        trace.frames += 1
        inner = Frame(trace.frames, function, frame, lexical, owner or function.owner)
        inside = (*path, self.guard(node, "call", (id(node), trace.frames), 0, None, frame))
        self.bind(node, function, inner, inside, frame)
        trace.inlined.add(id(function.node))
        trace.activations[id(node), frame.number] = inner
        self.active.append(id(function.node))
        self.body(function.node.body, inside, inner)
        self.active.pop()

    def bind(self, node: cst.Call, function: Function, inner: Frame, path: Path, frame: Frame) -> None:
        params = function.params
        static = any(last_name(d.decorator) == "staticmethod" for d in function.node.decorators)
        if function.owner is not None and function.parent is None and params and not static:
            params = params[1:]
        for position, param in enumerate(params):
            value = argument(node, position, param.name.value)
            home, how = frame, "param"
            if value is None and not any(arg.star for arg in node.args):
                value, home, how = param.default, self.trace.module, "default"
            key = f"{inner.number}:{param.name.value}"
            self.store(Definition(key, value, home, path, self.tick(), how, param, None))

    # Definitions

    def define(
        self,
        target: cst.CSTNode,
        value: cst.BaseExpression,
        path: Path,
        frame: Frame,
        how: str,
        node: cst.CSTNode,
        statement: cst.CSTNode | None,
        position: int | None = None,
        receiver: cst.BaseExpression | None = None,
    ) -> None:
        if type(target) is cst.Tuple or type(target) is cst.List:
            whole = value.elements if isinstance(value, (cst.Tuple, cst.List)) and how == "assign" else ()
            plain = len(whole) == len(target.elements)
            for place, element in enumerate(target.elements):
                if plain:
                    self.define(element.value, whole[place].value, path, frame, how, node, None)
                else:
                    kind = "unpack" if how == "assign" else how
                    self.define(element.value, value, path, frame, kind, node, statement, place)
            return
        name = dotted(target)
        if name:
            key = self.trace.key(name, frame)
            self.store(Definition(key, value, frame, path, self.tick(), how, node, statement, position, receiver))
        elif isinstance(target, cst.Subscript) and root_name(target):
            key = self.trace.key(f"{dotted(target.value) or root_name(target)}[*]", frame)
            self.store(Definition(key, value, frame, path, self.tick(), how, node, statement, position))

    def store(self, definition: Definition) -> None:
        self.trace.definitions.setdefault(definition.key, []).append(definition)

    def returned(
        self, value: cst.BaseExpression, path: Path, frame: Frame, node: cst.CSTNode, statement: cst.CSTNode | None
    ) -> None:
        found = Definition("return", value, frame, path, self.tick(), "return", node, statement)
        self.trace.returns.setdefault(frame.number, []).append(found)

    def tick(self) -> int:
        self.trace.clock += 1
        return self.trace.clock


def _leaves(suite: cst.BaseSuite) -> bool:
    """A suite that ends by leaving the iteration or the function."""
    last = suite.body[-1] if suite.body else None
    small = last.body[-1] if isinstance(last, cst.SimpleStatementLine) and last.body else last
    return isinstance(small, (cst.Return, cst.Continue, cst.Raise, cst.Break))
