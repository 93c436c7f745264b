"""How fixes may reuse the condition that an optimizer steps under."""

from __future__ import annotations

import libcst as cst

from gradlint.model.syntax.expressions import last_name, text, walk

_ASKING = frozenset(("len", "isinstance", "hasattr", "getattr", "int", "bool", "float", "any", "all", "callable"))
"""Functions without side effects."""


def only_asks(test: cst.CSTNode) -> bool:
    """Whether a condition has no side effects, so it can be tested twice."""
    return not any(isinstance(each, (cst.NamedExpr, cst.Await)) or _acts(each) for each in walk(test))


def _acts(node: cst.CSTNode) -> bool:
    """Whether a node is a call that may have side effects."""
    return isinstance(node, cst.Call) and last_name(node.func) not in _ASKING


def complement(guard: cst.BaseExpression) -> str:
    """The negation of a condition, as text."""
    if isinstance(guard, cst.UnaryOperation) and isinstance(guard.operator, cst.Not):
        inner = guard.expression
        return f"({text(inner)})" if isinstance(inner, (cst.BooleanOperation, cst.IfExp, cst.Lambda)) else text(inner)
    if isinstance(guard, cst.Comparison) and len(guard.comparisons) == 1 and not guard.lpar:
        (pair,) = guard.comparisons
        other = {cst.Equal: "!=", cst.NotEqual: "=="}.get(type(pair.operator))
        if other is not None:
            return f"{text(guard.left)} {other} {text(pair.comparator)}"
    plain = isinstance(guard, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)) or bool(getattr(guard, "lpar", ()))
    return f"not {text(guard)}" if plain else f"not ({text(guard)})"
