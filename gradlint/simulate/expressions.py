"""Compiles LibCST's expressions to closures over a frame."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import libcst as cst

from gradlint.simulate import arithmetic, conditions
from gradlint.simulate.attributes import get_attribute, get_item
from gradlint.simulate.callables import Frame, Function, Stream
from gradlint.simulate.calling import call, call_method
from gradlint.simulate.iteration import items_of
from gradlint.simulate.names import load
from gradlint.simulate.values import Num, Opaque

Evaluate = Callable[[Frame], Any]
_LONGEST = 400
"""Elements of a literal that are told apart; the rest of a longer one can be no list of losses."""


def expression(node: cst.CSTNode) -> Evaluate:
    """The closure that evaluates an expression."""
    compile_one = _COMPILERS.get(type(node))
    return compile_one(node) if compile_one is not None else lambda frame: Opaque("an expression")


def _name(node: cst.Name) -> Evaluate:
    name = node.value
    return lambda frame: load(frame, name)


def _constant(value: Any) -> Evaluate:
    return lambda frame: value


def _literal(node: Any) -> Evaluate:
    try:
        value = ast.literal_eval(node.value) if len(node.value) < 10_000 else ""
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = ""
    if isinstance(value, int) and value.bit_length() > 80:
        value = 1 << 40
    return _constant(value if not isinstance(value, complex) else 0.0)


def _joined_string(node: cst.CSTNode) -> Evaluate:
    parts: list[Evaluate] = []
    for part in getattr(node, "parts", ()):
        if isinstance(part, cst.FormattedStringExpression):
            parts.append(expression(part.expression))

    def run(frame: Frame) -> Any:
        for part in parts:
            part(frame)
        return "text"

    return run


def _concatenated(node: cst.ConcatenatedString) -> Evaluate:
    left, right = expression(node.left), expression(node.right)

    def run(frame: Frame) -> Any:
        first, second = left(frame), right(frame)
        return first + second if isinstance(first, str) and isinstance(second, str) else "text"

    return run


def _attribute(node: cst.Attribute) -> Evaluate:
    value, name = expression(node.value), node.attr.value
    return lambda frame: get_attribute(frame.machine, value(frame), name, node)


def _subscript(node: cst.Subscript) -> Evaluate:
    value, index = expression(node.value), subscript_index(node)
    return lambda frame: get_item(frame.machine, value(frame), index(frame), node)


def subscript_index(node: cst.Subscript) -> Evaluate:
    """The closure for what stands between the brackets: one value, a slice, or a tuple of them."""
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
    function = expression(node.func)
    plain = [expression(arg.value) for arg in node.args if arg.keyword is None and not arg.star]
    starred = any(arg.star for arg in node.args)
    named = [(arg.keyword.value, expression(arg.value)) for arg in node.args if arg.keyword is not None]
    mixed = [(arg.star, expression(arg.value)) for arg in node.args if arg.keyword is None]

    on = expression(node.func.value) if isinstance(node.func, cst.Attribute) else None
    method = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""

    def run(frame: Frame) -> Any:
        callee = function(frame) if on is None else on(frame)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if starred:
            for star, value in mixed:
                _spread(frame, star, value(frame), args, kwargs, node)
        else:
            args.extend(value(frame) for value in plain)
        for name, value in named:
            kwargs[name] = value(frame)
        if on is not None:
            return call_method(frame.machine, callee, method, args, kwargs, node)
        return call(frame.machine, callee, args, kwargs, node, frame)

    return run


def _spread(frame: Frame, star: str, value: Any, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> None:
    if star == "**":
        if isinstance(value, dict):
            kwargs.update((key, each) for key, each in value.items() if isinstance(key, str))
    elif star == "*":
        if isinstance(value, (list, tuple)):
            args.extend(value)
        else:
            args.append(value)
    else:
        args.append(value)


def _binary(node: cst.BinaryOperation) -> Evaluate:
    left, right, kind = expression(node.left), expression(node.right), type(node.operator)
    return lambda frame: arithmetic.binary(frame.machine, kind, left(frame), right(frame), node)


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
    """What decides in the end, with the settings of what let it."""
    of = conditions.gates(first) | conditions.gates(second)
    known = conditions.certain(second)
    if of and known is not None and type(second) in (bool, Num):
        return Num(known, of)
    return second


def _comparison(node: cst.Comparison) -> Evaluate:
    first = expression(node.left)
    rest = [(type(each.operator), expression(each.comparator)) for each in node.comparisons]

    def run(frame: Frame) -> Any:
        left = first(frame)
        found: Any = True
        for kind, comparator in rest:
            right = comparator(frame)
            one = arithmetic.compare(frame.machine, kind, left, right)
            found = _with_settings(found, one) if found is not True else one
            if conditions.certain(found) is False:
                return found
            left = right
        return found

    return run


def _conditional(node: cst.IfExp) -> Evaluate:
    test, body, orelse = expression(node.test), expression(node.body), expression(node.orelse)

    def run(frame: Frame) -> Any:
        value = test(frame)
        return body(frame) if conditions.truth(frame.machine, value, decides=True) else orelse(frame)

    return run


def _elements(node: Any, make: Callable[[Any], Any]) -> Evaluate:
    parts = [(isinstance(each, cst.StarredElement), expression(each.value)) for each in node.elements[:_LONGEST]]

    def run(frame: Frame) -> Any:
        found: list[Any] = []
        for starred, part in parts:
            value = part(frame)
            if starred and isinstance(value, (list, tuple, range)):
                found.extend(list(value)[:200])
            else:
                found.append(value)
        return make(found)

    return run


def _set(values: list[Any]) -> Any:
    try:
        return set(values)
    except TypeError:
        return values


def _dict(node: cst.Dict) -> Evaluate:
    parts = [
        (expression(each.key) if isinstance(each, cst.DictElement) else None, expression(each.value))
        for each in node.elements[:_LONGEST]
    ]

    def run(frame: Frame) -> Any:
        found: dict[Any, Any] = {}
        for key, value in parts:
            each = value(frame)
            if key is None:
                if isinstance(each, dict):
                    found.update(each)
                continue
            try:
                found[key(frame)] = each
            except TypeError:
                found[id(each)] = each
        return found

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


def _comprehension(node: Any) -> Evaluate:
    from gradlint.simulate.targets import assign

    fors: list[tuple[Evaluate, Callable[[Frame, Any], None], list[Evaluate]]] = []
    level = node.for_in
    while level is not None:
        fors.append((expression(level.iter), assign(level.target), [expression(each.test) for each in level.ifs]))
        level = level.inner_for_in
    if isinstance(node, cst.DictComp):
        key, value = expression(node.key), expression(node.value)
        element: Evaluate = lambda frame: (key(frame), value(frame))  # noqa: E731
    else:
        element = expression(node.elt)

    def walk(frame: Frame, depth: int) -> Iterator[Any]:
        if depth == len(fors):
            yield element(frame)
            return
        iterable, target, tests = fors[depth]
        for count, item in enumerate(items_of(frame.machine, iterable(frame), node)):
            frame.machine.tick(node)
            if count >= 64:
                break
            target(frame, item)
            if all(conditions.truth(frame.machine, test(frame)) for test in tests):
                yield from walk(frame, depth + 1)

    def run(frame: Frame) -> Any:
        inner = Frame(frame.machine, {"<scope>": True}, frame, None, {}, frame.owner)
        found = walk(inner, 0)
        if isinstance(node, cst.GeneratorExp):
            return Stream(found)
        values = list(found)
        if isinstance(node, cst.DictComp):
            return {key: value for key, value in values if isinstance(key, (str, int, float, tuple, bool))}
        return _set(values) if isinstance(node, cst.SetComp) else values

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
    cst.Tuple: lambda node: _elements(node, tuple),
    cst.List: lambda node: _elements(node, list),
    cst.Set: lambda node: _elements(node, _set),
    cst.Dict: _dict,
    cst.Lambda: _lambda,
    cst.NamedExpr: _walrus,
    cst.ListComp: _comprehension,
    cst.SetComp: _comprehension,
    cst.DictComp: _comprehension,
    cst.GeneratorExp: _comprehension,
    cst.Await: _awaited,
}
