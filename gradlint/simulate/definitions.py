"""Functions and classes of the text: their signatures, and the values of their definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import libcst as cst

from gradlint.simulate.callables import ClassValue, External, Frame, Function, Parameters
from gradlint.simulate.engines import ignite
from gradlint.simulate.things import IgniteEngine

Evaluate = Callable[[Frame], Any]


def signature(node: cst.Parameters) -> Parameters:
    """The parameters of a function, with compiled defaults."""
    from gradlint.simulate.expressions import expression

    positional = [*node.posonly_params, *node.params]
    keyword = list(node.kwonly_params)
    defaults = {each.name.value: expression(each.default) for each in (*positional, *keyword) if each.default is not None}
    star = node.star_arg.name.value if isinstance(node.star_arg, cst.Param) else None
    double = node.star_kwarg.name.value if node.star_kwarg is not None else None
    names = tuple(each.name.value for each in positional)
    annotated = ((each.name.value, each.annotation.annotation) for each in positional if each.annotation is not None)
    kinds = {name: kind.value.strip("\"'") for name, kind in annotated if isinstance(kind, (cst.Name, cst.SimpleString))}
    return Parameters(names, tuple(each.name.value for each in keyword), star, double, defaults, kinds)


def decorators(node: cst.FunctionDef | cst.ClassDef) -> frozenset[str]:
    """The last names of a definition's decorators."""
    found = set()
    for each in node.decorators:
        target = each.decorator.func if isinstance(each.decorator, cst.Call) else each.decorator
        if isinstance(target, cst.Attribute):
            found.add(target.attr.value)
        elif isinstance(target, cst.Name):
            found.add(target.value)
    return frozenset(found)


def define_function(node: cst.FunctionDef, compiler: Any, qualname: str) -> Evaluate:
    """The closure that creates a function from its definition."""
    name = node.name.value
    marks = decorators(node)
    parameters: list[Parameters] = []
    registrations = _registrations(node)

    def run(frame: Frame) -> Function:
        if not parameters:
            parameters.append(signature(node.params))
        made = Function(name, node, parameters[0], None, frame, frame.owner, qualname=qualname)
        made.is_static = "staticmethod" in marks
        made.is_class = "classmethod" in marks
        made.is_property = bool(marks & {"property", "cached_property"})
        for owner, event, call in registrations:
            engine = owner(frame)
            if isinstance(engine, IgniteEngine):
                ignite.add(frame.machine, engine, event(frame), made, [], {}, call)
        return made

    return run


def _registrations(node: cst.FunctionDef) -> list[tuple[Evaluate, Evaluate, cst.Call]]:
    """The decorators that register a function as a handler, each as its engine and its event: `@engine.on(event)`."""
    from gradlint.simulate.expressions import expression

    calls = [each.decorator for each in node.decorators if isinstance(each.decorator, cst.Call) and each.decorator.args]
    return [
        (expression(each.func.value), expression(each.args[0].value), each)
        for each in calls
        if isinstance(each.func, cst.Attribute) and each.func.attr.value == "on"
    ]


def define_class(node: cst.ClassDef, compiler: Any, qualname: str) -> Evaluate:
    """The closure that creates a class from its definition."""
    from gradlint.simulate.expressions import expression

    bases = [expression(each.value) for each in node.bases]
    body = compiler.block(node.body, qualname)
    marks = decorators(node)
    fields = _fields(node)

    def run(frame: Frame) -> ClassValue:
        made = ClassValue(node.name.value, node, {}, tuple(base(frame) for base in bases))
        made.is_data = bool(marks & {"dataclass", "define", "attrs", "frozen"}) or any(
            isinstance(each, External) and each.last in ("NamedTuple", "BaseModel", "TypedDict") for each in made.bases
        )
        inherited = [name for base in made.bases if isinstance(base, ClassValue) and base.is_data for name in base.fields]
        made.is_data = made.is_data or bool(inherited and not made.lookup("__init__")[0])
        made.fields = (*inherited, *fields) if made.is_data else ()
        inner = Frame(frame.machine, made.names, frame, frame.function, {}, made)
        compiler.run_plain(body, inner)
        for each in made.names.values():
            if isinstance(each, Function) and each.frame is inner:
                each.frame = frame
        frame.machine.classes.append(made)
        return made

    return run


def _fields(node: cst.ClassDef) -> tuple[str, ...]:
    """The annotated names in a class body."""
    found = []
    for line in _lines(node.body.body):
        if isinstance(line, cst.AnnAssign) and isinstance(line.target, cst.Name):
            found.append(line.target.value)
    return tuple(found)


def _lines(statements: Iterable[Any]) -> Iterable[Any]:
    for each in statements:
        yield from each.body if isinstance(each, cst.SimpleStatementLine) else ()
