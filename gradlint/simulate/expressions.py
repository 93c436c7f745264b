"""Compiles LibCST expressions to closures over a frame."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import last_name
from gradlint.simulate import arithmetic, comparisons, conditions, paths
from gradlint.simulate.aims import hinders
from gradlint.simulate.attributes import get_attribute
from gradlint.simulate.callables import Frame, Function
from gradlint.simulate.calling import call, call_method
from gradlint.simulate.contents import shown_in
from gradlint.simulate.displays import comprehension, dictionary, display, set_of
from gradlint.simulate.items import get_item
from gradlint.simulate.literals import value_of
from gradlint.simulate.names import CONSTANTS, load
from gradlint.simulate.unpacking import unpacked
from gradlint.simulate.values import Num, Opaque, Shown

Evaluate = Callable[[Frame], Any]


def expression(node: cst.CSTNode) -> Evaluate:
    """The closure that evaluates an expression."""
    compile_one = _COMPILERS.get(type(node))
    return compile_one(node) if compile_one is not None else lambda frame: Opaque("an expression")


def _name(node: cst.Name) -> Evaluate:
    name = node.value
    if name in CONSTANTS:
        return _constant(CONSTANTS[name])

    def run(frame: Frame) -> Any:
        names = frame.names
        return names[name] if name in names else load(frame, name)

    return run


def _constant(value: Any) -> Evaluate:
    return lambda frame: value


def _literal(node: Any) -> Evaluate:
    return _constant(value_of(node.value))


def _joined_string(node: cst.CSTNode) -> Evaluate:
    nodes = [part.expression for part in getattr(node, "parts", ()) if isinstance(part, cst.FormattedStringExpression)]
    parts = [expression(each) for each in nodes]
    return lambda frame: shown_in((part(frame) for part in parts), nodes)


def _concatenated(node: cst.ConcatenatedString) -> Evaluate:
    left, right = expression(node.left), expression(node.right)

    def run(frame: Frame) -> Any:
        first, second = left(frame), right(frame)
        if isinstance(first, Shown) or isinstance(second, Shown):
            return shown_in((first, second))
        return first + second if isinstance(first, str) and isinstance(second, str) else "text"

    return run


def _attribute(node: cst.Attribute) -> Evaluate:
    value, name = expression(node.value), node.attr.value
    return lambda frame: get_attribute(frame.machine, value(frame), name, node)


def _subscript(node: cst.Subscript) -> Evaluate:
    value, index = expression(node.value), subscript_index(node)
    return lambda frame: get_item(frame.machine, value(frame), index(frame), node)


def subscript_index(node: cst.Subscript) -> Evaluate:
    """The closure for an index: one value, a slice, or a tuple of them."""
    parts = [_index(each.slice) for each in node.slice]
    if len(parts) == 1:
        return parts[0]
    return lambda frame: tuple(part(frame) for part in parts)


def _index(node: cst.BaseSlice) -> Evaluate:
    if isinstance(node, cst.Index):
        return expression(node.value)
    assert isinstance(node, cst.Slice)
    bounds = [expression(each) if each is not None else _constant(None) for each in (node.lower, node.upper, node.step)]
    return lambda frame: slice(*(bound(frame) for bound in bounds))


def _call(node: cst.Call) -> Evaluate:
    # Compile everything once: nested calls would otherwise take time exponential in their depth.
    starred = any(arg.star for arg in node.args)
    plain = [_argument(arg.value) for arg in node.args if arg.keyword is None] if not starred else []
    named = [(arg.keyword.value, _argument(arg.value)) for arg in node.args if arg.keyword is not None]
    mixed = [(arg.star, expression(arg.value)) for arg in node.args if arg.keyword is None] if starred else []

    on = isinstance(node.func, cst.Attribute)
    function = expression(node.func.value if isinstance(node.func, cst.Attribute) else node.func)
    method = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""

    def run(frame: Frame) -> Any:
        callee = function(frame)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if starred:
            args, kwargs = unpacked(frame, callee if not on else None, [(star, value(frame)) for star, value in mixed])
        else:
            args = [value(frame) for value in plain]
        for name, value in named:
            kwargs[name] = value(frame)
        if on:
            return call_method(frame.machine, callee, method, args, kwargs, node)
        return call(frame.machine, callee, args, kwargs, node, frame)

    return run


_TRUTHS = frozenset((cst.Comparison, cst.BooleanOperation, cst.UnaryOperation))


def _argument(node: cst.BaseExpression) -> Evaluate:
    """An argument of a call. If it is a truth that takes remainders, they are recorded with its answer."""
    value = expression(node)
    if type(node) not in _TRUTHS:
        return value

    def run(frame: Frame) -> Any:
        machine = frame.machine
        taken = len(machine.divided)
        found = value(frame)
        if len(machine.divided) > taken and (answer := conditions.answered(found)) is not None:
            machine.asks(node, node, answer, taken)
        return found

    return run


def _binary(node: cst.BinaryOperation) -> Evaluate:
    left, right, kind = expression(node.left), expression(node.right), type(node.operator)
    compute = paths.divided if kind is cst.Divide else arithmetic.binary
    return lambda frame: compute(frame.machine, kind, left(frame), right(frame), node)


def _unary(node: cst.UnaryOperation) -> Evaluate:
    value = expression(node.expression)
    if isinstance(node.operator, cst.Not):
        return lambda frame: conditions.negation(frame.machine, value(frame))
    if isinstance(node.operator, cst.Minus):
        return lambda frame: arithmetic.negative(frame.machine, value(frame))
    return value


def _boolean(node: cst.BooleanOperation) -> Evaluate:
    left, right = expression(node.left), expression(node.right)
    conjunction = isinstance(node.operator, cst.And)

    def run(frame: Frame) -> Any:
        first = conditions.settled(frame.machine, left(frame))
        known = conditions.certain(first)
        if known is not None:
            if known is not conjunction:
                return first
            second = right(frame)
            return _with_settings(first, second)
        combine = conditions.both if conjunction else conditions.either
        return combine(frame.machine, first, right(frame))

    return run


def _with_settings(first: Any, second: Any) -> Any:
    """The value that decides in the end, with the settings that led to it."""
    of = conditions.gates(first) | conditions.gates(second)
    known = conditions.certain(second)
    if of and known is not None and type(second) in (bool, Num):
        return Num(known, of)
    return second


def _comparison(node: cst.Comparison) -> Evaluate:
    first = expression(node.left)
    rest = [(type(each.operator), expression(each.comparator)) for each in node.comparisons]
    sides = [node.left, *(each.comparator for each in node.comparisons)]
    names = [(last_name(one) or "", last_name(other) or "") for one, other in pairwise(sides)]
    single = len(rest) == 1

    def run(frame: Frame) -> Any:
        left = first(frame)
        found: Any = True
        for (kind, comparator), spelled in zip(rest, names, strict=True):
            right = comparator(frame)
            cut = comparisons.of_pieces(frame.machine, kind, left, right, spelled)
            one = cut if cut is not None else comparisons.compare(frame.machine, kind, left, right)
            if single:
                comparisons.remember(frame.machine, node, left, right, one)
                if (right is None and frame.machine.in_loop) or (type(right) is int and right == 0):
                    frame.machine.asks_for_none(left, node)
            found = _with_settings(found, one) if found is not True else one
            if conditions.certain(found) is False:
                return found
            left = right
        return found

    return run


def _conditional(node: cst.IfExp) -> Evaluate:
    test, body, orelse = expression(node.test), expression(node.body), expression(node.orelse)
    usual = not hinders(node.body)

    def run(frame: Frame) -> Any:
        machine = frame.machine
        taken = len(machine.divided)
        value = test(frame)
        holds = conditions.truth(machine, value, usual, decides=True)
        if len(machine.divided) > taken:
            machine.asks(node, node.test, holds, taken)
        return body(frame) if holds else orelse(frame)

    return run


def _lambda(node: cst.Lambda) -> Evaluate:
    from gradlint.simulate.definitions import signature

    parameters, body = signature(node.params), expression(node.body)
    return lambda frame: Function("<lambda>", node, parameters, body, frame)


def _walrus(node: cst.NamedExpr) -> Evaluate:
    value = expression(node.value)
    assert isinstance(node.target, cst.Name)
    name = node.target.value

    def run(frame: Frame) -> Any:
        found = value(frame)
        target = frame
        while target.function is None and target.outer is not None and target.names.get("<scope>"):
            target = target.outer
        target.bind(name, found)
        return found

    return run


def _awaited(node: cst.Await) -> Evaluate:
    return expression(node.expression)


_COMPILERS: dict[type, Callable[[Any], Evaluate]] = {
    cst.Name: _name,
    cst.Integer: _literal,
    cst.Float: _literal,
    cst.Imaginary: _literal,
    cst.SimpleString: _literal,
    cst.FormattedString: _joined_string,
    cst.ConcatenatedString: _concatenated,
    cst.Ellipsis: lambda node: _constant(None),
    cst.Attribute: _attribute,
    cst.Subscript: _subscript,
    cst.Call: _call,
    cst.BinaryOperation: _binary,
    cst.UnaryOperation: _unary,
    cst.BooleanOperation: _boolean,
    cst.Comparison: _comparison,
    cst.IfExp: _conditional,
    cst.Tuple: lambda node: display(node, tuple),
    cst.List: lambda node: display(node, list),
    cst.Set: lambda node: display(node, set_of),
    cst.Dict: dictionary,
    cst.Lambda: _lambda,
    cst.NamedExpr: _walrus,
    cst.ListComp: comprehension,
    cst.SetComp: comprehension,
    cst.DictComp: comprehension,
    cst.GeneratorExp: comprehension,
    cst.Await: _awaited,
}
