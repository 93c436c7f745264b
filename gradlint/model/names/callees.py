"""Tells which function of the same file a call runs."""

from __future__ import annotations

import libcst as cst

from gradlint.model.names.facts import Function
from gradlint.model.names.records import Frame, Trace
from gradlint.model.syntax.expressions import dotted, last_name


class Callees:
    """Look-ups over one trace, as far as that has come."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def of(self, node: cst.Call, frame: Frame) -> tuple[Function, str | None, Frame] | None:
        """The same-file function that a call runs, with the class of its `self` and its enclosing activation."""
        facts = self.trace.facts
        if isinstance(node.func, cst.Name):
            scope: Frame | None = frame
            while scope is not None:
                local = self.trace.local_functions.get((scope.number, node.func.value))
                if local is not None:
                    return local, scope.owner, scope
                scope = scope.lexical
            function = facts.by_name.get(node.func.value)
            if function is not None and function.parent is None and node.func.value not in facts.imports:
                return function, None, self.trace.module
            owner = self.class_of(node.func, frame)
            method = facts.method(owner, "__call__") or facts.method(owner, "forward") if owner else None
            return (method, owner, self.trace.module) if method else None
        if isinstance(node.func, cst.Attribute):
            name = node.func.attr.value
            base = node.func.value
            if isinstance(base, cst.Name) and base.value in ("self", "cls") and frame.owner:
                owner = frame.owner
            elif isinstance(base, cst.Call) and last_name(base.func) == "super" and frame.owner:
                owner = next(iter(facts.bases.get(frame.owner, ())), None)
            else:
                owner = self.class_of(base, frame)
            method = facts.method(owner, name) if owner else None
            if method is None and owner == frame.owner and owner is not None:
                method = self.called_attribute(owner, name)
            return (method, owner, self.trace.module) if method else None
        return None

    def called_attribute(self, owner: str, name: str) -> Function | None:
        """`self.criterion(...)` where `self.criterion = SameFileClass(...)`."""
        for given in self.trace.facts.attribute(owner, name):
            if isinstance(given.value, cst.Call):
                kind = last_name(given.value.func)
                method = self.trace.facts.method(kind, "__call__")
                if method is not None:
                    return method
        return None

    def class_of(self, node: cst.CSTNode, frame: Frame, depth: int = 0) -> str | None:
        """The class of this module that a value was constructed from, where its bindings say so plainly."""
        if depth > 4:
            return None
        facts = self.trace.facts
        if isinstance(node, cst.Call):
            name = last_name(node.func)
            return name if name in facts.bases else None
        name = dotted(node)
        if not name:
            return None
        for definition in reversed(self.trace.definitions.get(self.trace.key(name, frame), ())):
            if definition.how in ("assign", "param") and definition.value is not None:
                return self.class_of(definition.value, definition.frame, depth + 1)
        if name.startswith("self.") and frame.owner:
            for given in facts.attribute(frame.owner, name.removeprefix("self.")):
                if isinstance(given.value, cst.Call) and last_name(given.value.func) in facts.bases:
                    return last_name(given.value.func)
        return None
