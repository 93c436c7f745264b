"""Reading LibCST expressions without metadata: text, dotted names, literals, and sub-expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any

import libcst as cst

_LAYOUT = frozenset(
    (
        "lpar rpar comma semicolon header footer leading_lines lines_after_decorators equal dot lbracket rbracket "
        "lbrace rbrace colon indent trailing_whitespace asynchronous star"
    ).split()
)
_LONGEST = 60


@cache
def reader_of(kind: type[cst.CSTNode]) -> Callable[[Any], tuple[Any, ...]] | None:
    """A function that reads the meaningful fields of a class of nodes. None for a leaf such as a name."""
    whole = ((each.name, each.type) for each in fields(kind))
    names = [n for n, value in whole if n not in _LAYOUT and not n.startswith("whitespace") and value is not str]
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda node: (only(node),)
    return attrgetter(*names) if names else None


class Shape(Enum):
    """What the value of a field is to a walk."""

    NODE = "node"
    NODES = "nodes"
    OTHER = "other"


_NODE, _NODES = Shape.NODE, Shape.NODES  # looking up the member of an enumeration takes longer than the rest of a walk


@cache
def shape_of(kind: type) -> Shape:
    """What values of a type are to a walk. Cached per type, because `isinstance` is slow on abstract classes."""
    if cst.CSTNode in kind.__mro__:  # `issubclass` checks every node class before it returns False
        return Shape.NODE
    return Shape.NODES if issubclass(kind, (tuple, list)) else Shape.OTHER


def subnodes(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The direct children that carry meaning, in source order, without layout."""
    read = reader_of(type(node))
    found: list[cst.CSTNode] = []
    for value in read(node) if read is not None else ():
        shape = shape_of(type(value))  # type: ignore[arg-type]  # every class is hashable
        if shape is _NODE:
            found.append(value)
        elif shape is _NODES:
            found.extend(value)
    return found


def walk(node: cst.CSTNode) -> tuple[cst.CSTNode, ...]:
    """The node and everything below it, outermost first, including the bodies of lambdas."""
    found: list[cst.CSTNode] = []
    stack = [node]
    while stack:
        current = stack.pop()
        found.append(current)
        read = reader_of(type(current))
        for value in reversed(read(current)) if read is not None else ():
            kind: Any = type(value)
            shape = shape_of(kind)
            if shape is _NODE:
                stack.append(value)
            elif shape is _NODES:
                stack.extend(reversed(value))
    return tuple(found)


def walk_all(nodes: Iterable[cst.CSTNode]) -> list[cst.CSTNode]:
    """Some nodes, each with everything below it."""
    return [each for node in nodes for each in walk(node)]


def text(node: cst.CSTNode) -> str:
    """The source text of a node, without the comments and blank lines above it."""
    return _spelled(node) or _printer().code_for_node(node).strip()


def brief(node: cst.CSTNode) -> str:
    """The code of a node on one line, cut if it is long."""
    written = " ".join(text(node).split())
    return written if len(written) <= _LONGEST else f"{written[: _LONGEST - 3]}..."


def _spelled(node: cst.CSTNode) -> str | None:
    """The text of a name, a number or a plain chain of names. This is much faster than printing the node."""
    if type(node) is cst.Name or type(node) is cst.Integer:
        return None if node.lpar else node.value
    if type(node) is not cst.Attribute or node.lpar:
        return None
    before, after = node.dot.whitespace_before, node.dot.whitespace_after
    spaced = type(before) is not cst.SimpleWhitespace or type(after) is not cst.SimpleWhitespace or before.value or after.value
    base = None if spaced else _spelled(node.value)
    return f"{base}.{node.attr.value}" if base is not None else None


@cache
def _printer() -> cst.Module:
    return cst.Module(body=())


def dotted(node: cst.CSTNode) -> str | None:
    """`a.b["c"][0]` as one key, or None if the node is not a chain of names and literal indices.

    Quotes are normalised, so `out['loss']` and `out["loss"]` give the same key.
    """
    if type(node) is cst.Name:  # `isinstance` is slow on abstract classes, and this function is called the most
        return node.value
    if type(node) is cst.Attribute:
        base = dotted(node.value)
        return f"{base}.{node.attr.value}" if base else None
    if type(node) is cst.Subscript and len(node.slice) == 1:
        index = node.slice[0].slice
        base = dotted(node.value)
        if base and isinstance(index, cst.Index):
            value = literal(index.value)
            if isinstance(value, (str, int)):
                return f"{base}[{value!r}]"
    return None


def root_name(node: cst.CSTNode) -> str | None:
    """The leftmost name of a chain of attributes, subscripts and calls."""
    while True:
        if isinstance(node, cst.Name):
            return node.value
        if isinstance(node, (cst.Attribute, cst.Subscript)):
            node = node.value
        elif isinstance(node, cst.Call):
            node = node.func
        else:
            return None


def last_name(node: cst.CSTNode) -> str | None:
    """The last part of a name: `c` for `a.b.c` and `a.b.c()`, and also for `a["c"]`."""
    if type(node) is cst.Name:
        return node.value
    if type(node) is cst.Attribute:
        return node.attr.value
    if type(node) is cst.Call:
        return last_name(node.func)
    if type(node) is cst.Subscript:
        index = node.slice[0].slice if len(node.slice) == 1 else None
        value = literal(index.value) if isinstance(index, cst.Index) else None
        return value if isinstance(value, str) else last_name(node.value)
    return None


Literal = int | float | str | bool | None


class _NotLiteral:
    pass


NOT_LITERAL = _NotLiteral()


def literal(node: cst.CSTNode) -> Literal | _NotLiteral:
    """The value of a literal, including unary signs and arithmetic on numbers, or NOT_LITERAL."""
    if type(node) is cst.Name:
        return {"True": True, "False": False, "None": None}.get(node.value, NOT_LITERAL)
    if type(node) is cst.Integer:
        return _integer(node.value)
    if type(node) is cst.Float:
        return float(node.value)
    if type(node) is cst.SimpleString:
        value = node.evaluated_value
        return value if isinstance(value, str) else NOT_LITERAL
    if type(node) is cst.UnaryOperation and isinstance(node.operator, (cst.Minus, cst.Plus)):
        inner = literal(node.expression)
        if isinstance(inner, (int, float)):
            return -inner if isinstance(node.operator, cst.Minus) else inner
    if type(node) is cst.BinaryOperation:
        left, right = literal(node.left), literal(node.right)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return arithmetic(node.operator, left, right)
    return NOT_LITERAL


def _integer(value: str) -> Literal | _NotLiteral:
    try:
        return int(value.replace("_", ""), 0)
    except ValueError:  # more digits than Python converts
        return NOT_LITERAL


def arithmetic(operator: cst.BaseBinaryOp, left: float, right: float) -> Literal | _NotLiteral:
    """The result of an operation on two numbers, or NOT_LITERAL if it has none or is not supported."""
    try:
        return _computed(operator, left, right)
    except OverflowError:  # an integer too large for a float
        return NOT_LITERAL


def _computed(operator: cst.BaseBinaryOp, left: float, right: float) -> Literal | _NotLiteral:
    if isinstance(operator, cst.Add):
        return left + right
    if isinstance(operator, cst.Subtract):
        return left - right
    if isinstance(operator, cst.Multiply) and max(abs(left), abs(right)) < 1e12:
        return left * right
    if isinstance(operator, cst.Divide) and right:
        return left / right
    if isinstance(operator, cst.FloorDivide) and right:
        return left // right
    return NOT_LITERAL


def argument(call: cst.Call, position: int | None, *names: str) -> cst.BaseExpression | None:
    """The argument at a position or with one of the names. None if it is missing, or may be in a starred argument."""
    for index, arg in enumerate(call.args):
        if arg.star:
            if index == position:
                return None
            continue
        if arg.keyword is None and index == position:
            return arg.value
        if arg.keyword is not None and arg.keyword.value in names:
            return arg.value
    return None


def keywords(call: cst.Call) -> dict[str, cst.BaseExpression]:
    """The keyword arguments of a call, by name."""
    return {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}


def calls_in(node: cst.CSTNode) -> tuple[cst.Call, ...]:
    """Every call at or below the node."""
    return tuple(each for each in walk(node) if type(each) is cst.Call)


def known(test: cst.BaseExpression, truth: bool) -> Iterator[tuple[str, bool]]:
    """Yield the simple conditions that the outcome of a test settles, each with its own value.

    If `a and not b` is true, both conditions are settled. `x is not None` is reported as `x is None`, and a true `x` is not None.
    Conditions with calls are left out, because they may have another value next time. Parentheses are ignored.
    """
    if test.lpar:
        test = test.with_changes(lpar=(), rpar=())
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        yield from known(test.expression, not truth)
    elif isinstance(test, cst.BooleanOperation):
        if isinstance(test.operator, cst.And) is truth:
            yield from known(test.left, truth)
            yield from known(test.right, truth)
        yield text(test), truth
    elif any(isinstance(node, cst.Call) for node in walk(test)):
        return
    elif isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        operator, right = test.comparisons[0].operator, text(test.comparisons[0].comparator)
        if isinstance(operator, (cst.IsNot, cst.NotEqual)):
            word = "is" if isinstance(operator, cst.IsNot) else "=="
            yield f"{text(test.left)} {word} {right}", not truth
        else:
            yield text(test), truth
    else:
        yield text(test), truth
        if truth and dotted(test):
            yield f"{text(test)} is None", False


def receiver_name(node: cst.CSTNode) -> str | None:
    """The last name of the object whose method a call calls: `optimizer` for `self.optimizer.step()`. None for other nodes."""
    func = node.func if isinstance(node, cst.Call) else None
    return last_name(func.value) if isinstance(func, cst.Attribute) else None


def bound_in_class(cls: cst.ClassDef) -> set[str]:
    """The names of the methods and attributes of a class."""
    found = {each.name.value for each in cls.body.body if isinstance(each, cst.FunctionDef)}
    lines = (each for each in cls.body.body if isinstance(each, cst.SimpleStatementLine))
    assigned = (small for line in lines for small in line.body if isinstance(small, cst.Assign))
    return found | {text(target.target) for each in assigned for target in each.targets}
