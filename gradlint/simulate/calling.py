"""Calls of functions and classes of the text, of methods, and of unseen code."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import Role
from gradlint.model.syntax.expressions import text
from gradlint.simulate.attributes import get_attribute, set_attribute
from gradlint.simulate.blocks import run_block
from gradlint.simulate.callables import (
    Bound,
    ClassValue,
    External,
    Frame,
    Function,
    Instance,
    ModuleValue,
    Partial,
    Stream,
    Super,
)
from gradlint.simulate.contents import is_data
from gradlint.simulate.contrast import marked
from gradlint.simulate.machine import Machine
from gradlint.simulate.methods import method
from gradlint.simulate.optimizing import average
from gradlint.simulate.outside import call_external, call_unknown
from gradlint.simulate.own_schedules import own_schedule
from gradlint.simulate.stops import Abandoned, Raised
from gradlint.simulate.things import AVERAGES, Network, Thing
from gradlint.simulate.torch_names import construct, steps_by_itself
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import Factor, Opaque, Tensor


def call(
    machine: Machine, callee: Any, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None = None
) -> Any:
    """The value of a call."""
    if type(callee) not in _CALLED:
        return call_unknown(machine, callee, args, kwargs, node)
    if isinstance(callee, External):
        return call_external(machine, callee.path, args, kwargs, node, frame)
    if isinstance(callee, Function):
        return _of_function(machine, callee, args, kwargs, node)
    if isinstance(callee, Bound):
        if isinstance(callee.method, str):
            return call_method(machine, callee.receiver, callee.method, args, kwargs, node)
        return call(machine, callee.method, [callee.receiver, *args], kwargs, node)
    if isinstance(callee, ClassValue):
        return instantiate(machine, callee, args, kwargs, node)
    if isinstance(callee, Partial):
        return call(machine, callee.call, [*callee.args, *args], {**callee.kwargs, **kwargs}, node)
    return _of_instance(machine, callee, args, kwargs, node)


_CALLED = frozenset((External, Function, Bound, ClassValue, Partial, Instance))
"""Kinds of callees that we know more about than a name. They are checked last, since all others are more common."""


def call_method(machine: Machine, receiver: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """The value of `receiver.name(...)`."""
    if type(receiver) is Tensor:
        return method(machine, receiver, name, args, kwargs, node)
    if isinstance(receiver, Super):
        return _of_super(machine, receiver, name, args, kwargs, node)
    if isinstance(receiver, Instance):
        if name not in receiver.names and not receiver.cls.lookup(name)[0]:
            return method(machine, receiver, name, args, kwargs, node)
        if name in AVERAGES and machine.words.role_of_constructor(receiver.cls.name) is Role.EMA:
            average(machine, node, receiver, [*args, *kwargs.values()])
        return call(machine, get_attribute(machine, receiver, name, node), args, kwargs, node)
    if isinstance(receiver, (External, ClassValue, ModuleValue)):
        return call(machine, get_attribute(machine, receiver, name, node), args, kwargs, node)
    if isinstance(receiver, (Opaque, Thing)) and name in receiver.kept:
        return call(machine, receiver.kept[name], args, kwargs, node)
    if receiver is None:
        receiver = _stand_in(machine, node)
    if type(receiver) in (Opaque, Network) and name in machine.compiler.aims.leading:
        from gradlint.simulate.only_method import only_method

        own = only_method(machine, receiver, name)
        if own is not None:
            return call(machine, own[1], [own[0], *args], kwargs, node)
    return method(machine, receiver, name, args, kwargs, node)


def _stand_in(machine: Machine, node: cst.CSTNode) -> Any:
    """The object that replaces None as a receiver: unseen code has assigned one, and its name may say what it is."""
    owner = node.func.value if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else None
    return unknown(machine, text(owner)) if isinstance(owner, (cst.Name, cst.Attribute)) else None


def _of_super(machine: Machine, receiver: Super, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    for base in receiver.after.bases:
        if isinstance(base, ClassValue):
            found, method = base.lookup(name)
            if found:
                return call(machine, method, [receiver.instance, *args], kwargs, node)
    return Opaque(f"super().{name}()")


def _of_instance(machine: Machine, callee: Instance, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    for name in ("__call__", "forward"):
        found, method = callee.cls.lookup(name)
        if found and isinstance(method, Function):
            return marked(callee, call(machine, method, [callee, *args], kwargs, node))
    return call_unknown(machine, callee, args, kwargs, node)


def instantiate(machine: Machine, cls: ClassValue, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """Instantiate a class of the text."""
    made = Instance(cls, identity=cls.name)
    if cls.is_data:
        for name, value in [*zip(cls.fields, args, strict=False), *kwargs.items()]:
            set_attribute(machine, made, name, value, node)
        for name in cls.fields:
            if name not in made.names and cls.lookup(name)[0]:
                value = cls.lookup(name)[1]
                made.names[name] = machine.overridable(f"{cls.name}.{name}", value)
        found, post = cls.lookup("__post_init__")
        if found:
            call(machine, post, [made], {}, node)
        return made
    if steps_by_itself(machine, cls):
        return construct(machine, cls.name, args, kwargs, node, Role.OPTIMIZER)
    found, init = cls.lookup("__init__")
    if found and isinstance(init, Function):
        call(machine, init, [made, *args], kwargs, node)
    schedule = own_schedule(machine, made, args, kwargs, node)
    if schedule is not None:
        return schedule
    wrapper = next((base for base in cls.outside if machine.words.role_of_constructor(base) is Role.PARALLEL), None)
    if wrapper is not None and not found and not cls.lookup("forward")[0]:
        return construct(machine, wrapper, args, kwargs, node)
    return made


def _of_function(machine: Machine, function: Function, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    machine.tick(node)
    if sum(1 for each in machine.running if each is function.node) >= 2:
        machine.recurses |= machine.compiler.trains(function)
        return Opaque(f"{function.name}()")
    frame = Frame(machine, {}, function.frame, function, {}, function.owner)
    if function.given:
        frame.names.update(function.given)
    else:
        bind(machine, function, args, kwargs, frame, node)
    if isinstance(function.node, cst.Lambda):
        with machine.within(node):
            return function.body(frame)
    if machine.compiler.yields(function.node):
        return Stream(_stream(machine, function, frame, node))
    machine.running.append(function.node)
    loops, path = len(machine.loops), len(machine.path)
    around, machine.frame = machine.frame, frame
    try:
        with machine.within(node), _beside_training(machine, function):
            signal = machine.compiler.run_plain(machine.compiler.body_of(function), frame)
    except Abandoned:
        return _not_followed(machine, function, args, kwargs, node, "computing the loss takes too many steps to follow")
    except Raised as raised:
        if raised.name != "NotImplementedError":
            raise
        return _not_followed(machine, function, args, kwargs, node, "a derived class computes the loss")
    finally:
        machine.frame = around
        machine.running.pop()
        del machine.loops[loops:], machine.draws[loops:], machine.path[path:]
    return getattr(signal, "value", None)


def _beside_training(machine: Machine, function: Function) -> AbstractContextManager[None]:
    """Limit the steps of a function that neither affects training nor leads to it."""
    follows = function.name in machine.compiler.aims.acting or machine.compiler.trains(function)
    return nullcontext() if follows else machine.aside(function.node)


def _not_followed(
    machine: Machine, function: Function, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, why: str
) -> Any:
    """The result of a function whose run was cut short."""
    made = call_unknown(machine, Opaque(function.name), args, kwargs, node)
    return made.scaled_by(Factor(doubt=why)) if is_data(made) else made


def _stream(machine: Machine, function: Function, frame: Frame, node: cst.CSTNode) -> Iterator[Any]:
    """The items of a generator. It starts with the loops and branches where it was made, and keeps them to itself."""
    running: Generator[Any, Any, Any] = run_block(machine.compiler.body_of(function), frame)
    own: tuple[list[Any], ...] = ([*machine.stack, node], list(machine.path), list(machine.loops), list(machine.draws))
    return _resumed(machine, running, own, node)


def _resumed(machine: Machine, running: Generator[Any, Any, Any], own: tuple[list[Any], ...], node: cst.CSTNode) -> Iterator[Any]:
    """The items of a generator that runs with a separate stack, branches, loops and batches."""
    while True:
        machine.tick(node)
        before = (machine.stack, machine.path, machine.loops, machine.draws)
        machine.stack, machine.path, machine.loops, machine.draws = own
        try:
            item = next(running)
        except StopIteration:
            return
        finally:
            own = (machine.stack, machine.path, machine.loops, machine.draws)
            machine.stack, machine.path, machine.loops, machine.draws = before
        yield item


def bind(machine: Machine, function: Function, args: list[Any], kwargs: dict[str, Any], frame: Frame, node: cst.CSTNode) -> None:
    """Bind a function's parameters to the arguments of a call."""
    parameters = function.parameters
    names = frame.names
    names.update(zip(parameters.positional, args, strict=False))
    if parameters.star is not None:
        names[parameters.star] = tuple(args[len(parameters.positional) :])
    rest: dict[str, Any] = {}
    for name, value in kwargs.items():
        if name in parameters.positional or name in parameters.keyword_only:
            names[name] = value
        else:
            rest[name] = value
    if parameters.double_star is not None:
        names[parameters.double_star] = rest
    for name in (*parameters.positional, *parameters.keyword_only):
        if name not in names:
            default = parameters.defaults.get(name)
            names[name] = machine.overridable(name, default(function.frame)) if default is not None else unknown(machine, name)
        elif type(names[name]) is int:
            names[name] = machine.named(name, names[name], frame)


def call_unseen(machine: Machine, function: Function, known: Mapping[str, Any], node: cst.CSTNode) -> Any:
    """Call a function as unknown code would, which passes what is `known`, and what the other names and defaults suggest."""
    frame = Frame(machine, dict(known), function.frame)
    bind_unknown(machine, function, frame)
    return call(machine, replace(function, given=frame.names), [], {}, node)


def bind_unknown(machine: Machine, function: Function, frame: Frame) -> None:
    """Bind the parameters of a function with unknown callers, using their names, annotations and defaults."""
    from gradlint.simulate.only_method import of_kind

    parameters = function.parameters
    for name in (*parameters.positional, *parameters.keyword_only):
        if name in frame.names:
            continue
        default = parameters.defaults.get(name)
        made = of_kind(machine, function, name) if default is None and name in parameters.kinds else None
        if made is not None:
            frame.names[name] = made
            continue
        value = default(function.frame) if default is not None else None
        if default is not None and not isinstance(value, (int, float, str, type(None))):
            frame.names[name] = value
        else:
            frame.names[name] = unknown(machine, name, default=value, has_default=default is not None)
    if parameters.star is not None:
        frame.names[parameters.star] = ()
    if parameters.double_star is not None:
        frame.names[parameters.double_star] = unknown(machine, parameters.double_star)
