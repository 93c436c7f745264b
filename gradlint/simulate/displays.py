"""Compiles displays and comprehensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import libcst as cst

from gradlint.simulate import conditions
from gradlint.simulate.callables import Frame, Stream
from gradlint.simulate.iteration import items_of
from gradlint.simulate.things import Parameter
from gradlint.simulate.values import OTHERS

Evaluate = Callable[[Frame], Any]
_LONGEST = 400
"""How many elements of a literal are evaluated. Longer literals are not lists of losses."""


def display(node: Any, make: Callable[[Any], Any]) -> Evaluate:
    """A tuple, list or set display."""
    from gradlint.simulate.expressions import expression

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


def set_of(values: list[Any]) -> Any:
    """A set, or a list if an element cannot be hashed."""
    try:
        return set(values)
    except TypeError:
        return values


def dictionary(node: cst.Dict) -> Evaluate:
    """A dictionary display."""
    from gradlint.simulate.expressions import expression

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
            name = key(frame)
            try:
                found[name] = frame.machine.named(name, each, frame) if isinstance(name, str) and type(each) is int else each
            except TypeError:
                found[id(each)] = each
        return found

    return run


def comprehension(node: Any) -> Evaluate:
    """A comprehension or a generator expression."""
    from gradlint.simulate.expressions import expression
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

    def walk(frame: Frame, depth: int, first: Any) -> Iterator[Any]:
        if depth == len(fors):
            yield element(frame)
            return
        iterable, target, tests = fors[depth]
        for count, item in enumerate(items_of(frame.machine, iterable(frame) if depth else first, node)):
            frame.machine.tick(node)
            if count >= 64:
                break
            target(frame, item)
            if all(conditions.truth(frame.machine, test(frame)) for test in tests):
                yield from walk(frame, depth + 1, first)

    def run(frame: Frame) -> Any:
        inner = Frame(frame.machine, {"<scope>": True}, frame, None, {}, frame.owner)
        found = walk(inner, 0, fors[0][0](frame))  # the first iterable of a generator is evaluated where it is built
        if isinstance(node, cst.GeneratorExp):
            return Stream(found)
        values = list(found)
        if isinstance(node, cst.DictComp):
            return _dictionary(values)
        return set_of(values) if isinstance(node, cst.SetComp) else values

    return run


def _dictionary(entries: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """The dictionary of some entries. One of those with an unknown key stands for all of them."""
    plain = (str, int, float, tuple, bool, Parameter)
    others = [value for key, value in entries if not isinstance(key, plain)]
    known = {key: value for key, value in entries if isinstance(key, plain)}
    return known | {OTHERS: others[0]} if others else known
