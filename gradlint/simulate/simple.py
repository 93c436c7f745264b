"""Compiles statements that contain no other statements."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import last_name, literal, walk
from gradlint.simulate import arithmetic, conditions
from gradlint.simulate.attributes import get_attribute, set_attribute
from gradlint.simulate.blocks import BREAK, CONTINUE, Flowing, Plain, Returned, Signal
from gradlint.simulate.callables import Frame
from gradlint.simulate.expressions import expression, subscript_index
from gradlint.simulate.imports import run_import
from gradlint.simulate.items import delete, get_item, set_item
from gradlint.simulate.iteration import items_of, walked_as
from gradlint.simulate.optimizing import rescale
from gradlint.simulate.stops import Raised
from gradlint.simulate.targets import assign
from gradlint.simulate.things import Gradient
from gradlint.simulate.trace import What
from gradlint.simulate.values import IN_WINDOWS, Num, Opaque, Tensor


def simple_statement(node: cst.BaseSmallStatement) -> list[tuple[bool, Callable[[Frame], Any]]]:
    """The closures of a simple statement; none if it does nothing."""
    if isinstance(node, cst.Assert):
        data = _divided_data(node.test)
        return [(False, _holds_whole_windows(data))] if data is not None else []
    if isinstance(node, cst.Pass):
        return []
    if isinstance(node, (cst.Expr, cst.Assign)) and isinstance(node.value, cst.Yield):
        return [(True, _yield(node))]
    make = _SIMPLE.get(type(node))
    return [(False, make(node))] if make is not None else []


def _divided_data(test: cst.BaseExpression) -> cst.BaseExpression | None:
    """The `data` in `len(data) % n == 0`."""
    if not isinstance(test, cst.Comparison) or not isinstance(test.left, cst.BinaryOperation) or len(test.comparisons) != 1:
        return None
    (right,), rest = test.comparisons, test.left
    if not isinstance(rest.operator, cst.Modulo) or not isinstance(right.operator, cst.Equal) or literal(right.comparator) != 0:
        return None
    is_length = isinstance(rest.left, cst.Call) and last_name(rest.left.func) == "len" and len(rest.left.args) == 1
    return rest.left.args[0].value if isinstance(rest.left, cst.Call) and is_length else None


def _holds_whole_windows(data: cst.BaseExpression) -> Plain:
    """An assertion that the length of some data is a multiple of a number. Otherwise the script does not train."""
    value = expression(data)

    def run(frame: Frame) -> Signal:
        found = value(frame)
        if type(found) is Opaque:
            found.kept[IN_WINDOWS] = True
        loader = walked_as(found)
        if loader is not None:
            loader.in_windows = True
        return None

    return run


def _yield(node: cst.Expr | cst.Assign) -> Flowing:
    given = node.value
    assert isinstance(given, cst.Yield)
    from_it = isinstance(given.value, cst.From)
    inner = given.value.item if isinstance(given.value, cst.From) else given.value
    value = expression(inner) if inner is not None else lambda frame: None
    targets = [assign(each.target) for each in node.targets] if isinstance(node, cst.Assign) else []

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        frame.machine.tick(node)
        found = value(frame)
        if from_it:
            yield from items_of(frame.machine, found, node)
        else:
            sent = yield found
            for target in targets:
                target(frame, sent)
        return None

    return run


def _expr(node: cst.Expr) -> Plain:
    value = expression(node.value)

    def run(frame: Frame) -> Signal:
        machine = frame.machine
        machine.tick(node)
        machine.effects.add(id(node.value))
        before = len(machine.events)
        value(frame)
        if not (machine.world.due and isinstance(node.value, cst.Call)):
            return None
        if all(event.what is What.REPORT for event in machine.events[before:]):
            machine.note(What.CALL, node.value, text=machine.compiler.spelled(node.value.func))
        return None

    return run


def _assign(node: cst.Assign) -> Plain:
    value = expression(node.value)
    targets = [assign(each.target) for each in node.targets]
    named = _named_constant(node)

    def run(frame: Frame) -> Signal:
        machine = frame.machine
        machine.tick(node)
        taken = len(machine.divided)
        found = value(frame)
        if len(machine.divided) > taken and (answer := conditions.answered(found)) is not None:
            machine.asks(node, node.value, answer, taken)
        asked = machine.asked
        if asked.rests and node.value in asked.rests:
            asked.kept[node.value] = asked.rests[node.value]
        if named is not None:
            found = machine.named(named, found, frame)
        for target in targets:
            target(frame, found)
        return None

    return run


def _annotated(node: cst.AnnAssign) -> Plain:
    if node.value is None:
        return lambda frame: None
    value, target = expression(node.value), assign(node.target)
    named = node.target.value if isinstance(node.target, cst.Name) else None

    def run(frame: Frame) -> Signal:
        frame.machine.tick(node)
        found = value(frame)
        target(frame, frame.machine.named(named, found, frame) if named else found)
        return None

    return run


def _augmented(node: cst.AugAssign) -> Plain:
    value, kind = expression(node.value), arithmetic.OF_AUGMENTED.get(type(node.operator), cst.MatrixMultiply)
    load, store = _place(node.target)
    name = last_name(node.target) or ""
    scales = kind in (cst.Multiply, cst.Divide, cst.FloorDivide)

    def run(frame: Frame) -> Signal:
        frame.machine.tick(node)
        old, owner = load(frame)
        new = value(frame)
        if isinstance(old, list) and kind is cst.Add and isinstance(new, (list, tuple)):
            old.extend(list(new)[:1000])
            return None
        if isinstance(old, Gradient):  # in place: everything else that holds it sees the change
            rescale(frame.machine, old.owner, arithmetic.factor_of(frame.machine, kind, new, node), node)
            return None
        if scales and type(old) is Num and frame.machine.counts_steps(name):
            return None  # N is fixed in this world, for any number of processes
        made = arithmetic.binary(frame.machine, kind, old, new, node)
        if scales and type(old) is Tensor and type(made) is Tensor and old.terms and not old.detached:
            old.terms, made = made.terms, old  # also in place: `outputs.loss /= n` changes the loss under all its names
        store(frame, owner, made)
        return None

    return run


def _place(node: cst.CSTNode) -> tuple[Callable[[Frame], Any], Callable[[Frame, Any, Any], None]]:
    """Functions that read a target, evaluated once, and write it again."""
    if isinstance(node, cst.Attribute):
        owner, name = expression(node.value), node.attr.value

        def read(frame: Frame) -> Any:
            found = owner(frame)
            return get_attribute(frame.machine, found, name, node), found

        return read, lambda frame, found, new: set_attribute(frame.machine, found, name, new, node)
    if isinstance(node, cst.Subscript):
        container, index = expression(node.value), subscript_index(node)

        def read_item(frame: Frame) -> Any:
            found = (container(frame), index(frame))
            return get_item(frame.machine, *found, node), found

        return read_item, lambda frame, found, new: set_item(frame.machine, found[0], found[1], new, node)
    load, store = expression(node), assign(node)
    return lambda frame: (load(frame), None), lambda frame, _, new: store(frame, new)


def _return(node: cst.Return) -> Plain:
    value = expression(node.value) if node.value is not None else None

    def run(frame: Frame) -> Signal:
        frame.machine.tick(node)
        return Returned(value(frame) if value is not None else None)

    return run


def _raise(node: cst.Raise) -> Plain:
    name = last_name(node.exc.func if isinstance(node.exc, cst.Call) else node.exc) if node.exc is not None else "Exception"

    def run(frame: Frame) -> Signal:
        raise Raised(name or "Exception")

    return run


def _delete(node: cst.Del) -> Plain:
    target = node.target
    if isinstance(target, cst.Subscript):
        owner, index = expression(target.value), subscript_index(target)

        def run(frame: Frame) -> Signal:
            delete(frame.machine, owner(frame), index(frame))
            return None

        return run
    return lambda frame: None


def _global(node: cst.Global) -> Plain:
    names = [each.name.value for each in node.names]

    def run(frame: Frame) -> Signal:
        for name in names:
            frame.declared[name] = frame.module
        return None

    return run


def _nonlocal(node: cst.Nonlocal) -> Plain:
    names = [each.name.value for each in node.names]

    def run(frame: Frame) -> Signal:
        for name in names:
            outer = frame.outer
            while outer is not None and name not in outer.names:
                outer = outer.outer
            if outer is not None:
                frame.declared[name] = outer
        return None

    return run


def _import(node: Any) -> Plain:
    def run(frame: Frame) -> Signal:
        run_import(frame, node)
        return None

    return run


_SIMPLE: dict[type, Callable[[Any], Plain]] = {
    cst.Expr: _expr,
    cst.Assign: _assign,
    cst.AnnAssign: _annotated,
    cst.AugAssign: _augmented,
    cst.Return: _return,
    cst.Raise: _raise,
    cst.Del: _delete,
    cst.Global: _global,
    cst.Nonlocal: _nonlocal,
    cst.Import: _import,
    cst.ImportFrom: _import,
    cst.Break: lambda node: lambda frame: BREAK,
    cst.Continue: lambda node: lambda frame: CONTINUE,
}


def _named_constant(node: cst.Assign) -> str | None:
    """The name that a value is assigned to, if there is just one. None if the new value is computed from the old one."""
    if len(node.targets) != 1:
        return None
    target = node.targets[0].target
    name = last_name(target) if isinstance(target, (cst.Name, cst.Attribute)) else None
    if name is None:
        return None
    alike = (each for each in walk(node.value) if type(each) is type(target) and last_name(each) == name)
    return None if any(each.deep_equals(target) for each in alike) else name
