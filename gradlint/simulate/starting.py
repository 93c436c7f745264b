"""Starts a function whose callers are unknown, or did not reach it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import calls_in, dotted, last_name, walk
from gradlint.simulate.assumptions import CALLERS_INDEX
from gradlint.simulate.callables import ClassValue, Frame, Function, Instance
from gradlint.simulate.calling import bind_unknown, call, call_unseen
from gradlint.simulate.definitions import define_function
from gradlint.simulate.engines import lightning_manual
from gradlint.simulate.logs import give
from gradlint.simulate.machine import Machine
from gradlint.simulate.only_method import made_out_of_sight
from gradlint.simulate.roots import Definition
from gradlint.simulate.stops import Raised
from gradlint.simulate.things import OUT_OF_SIGHT, Schedule
from gradlint.simulate.values import Num, Tensor
from gradlint.simulate.world import spells_counter, spells_current_epoch

Start = Callable[[Machine, Frame], None]
"""How the run of a root begins."""

TRIES = 3
"""After this many calls of a root without a backward pass, none is expected."""


_BATCH = re.compile(r"(^|_)(mini|micro)?_?batch$|^(inputs|samples)$")
"""Names of parameters that get a new value in each call."""


_INDEX = re.compile(r"^(batch|micro|iter|global|train|local)?_?(num|no|nb)$")


def start_of(definition: Definition, *, called: bool = False) -> Start:
    """Call a function repeatedly, as its unknown caller would, until its windows were seen.

    `called` says that the text calls it too: its arguments there may be more than the names of its parameters suggest.
    """

    nodes = walk(definition.node)
    walked = frozenset(_walked(nodes))
    units = frozenset((*_divisors(nodes), *_totals(nodes)))

    def run(machine: Machine, frame: Frame) -> None:
        function, instance = method_of(definition, machine, frame)
        if function is None:
            return
        loops = machine.compiler.aims.of(definition.node.body).loops  # an argument may be more than one micro-batch
        machine.units = units
        if instance is not None:
            lightning_manual.configure(machine, instance)
        machine.loops.append(definition.node)
        machine.draws.append(0)
        passes = 0
        for count, (index, batch) in enumerate(_micro_batches(machine, definition, instance)):
            machine.begin(batch)
            machine.turn = count
            if passes:  # a counter that goes into a pass counts micro-batches
                machine.turn = len(machine.trained)
                index = Num(machine.turn, frozenset((CALLERS_INDEX,)))
            before, built = len(machine.trained), _built(machine)
            inner = Frame(machine, {}, function.frame, function, {}, function.owner)
            names = function.parameters.positional
            if instance is not None and names:
                inner.names[names[0]] = instance
            for name in names:
                if name not in walked and name not in machine.units and (spells_counter(name) or _INDEX.match(name)):
                    inner.names[name] = index
                elif batch is not None and name == names[1]:
                    inner.names[name] = batch
                elif passes and spells_current_epoch(name):
                    inner.names[name] = Num(passes, frozenset((name,)))
                elif not loops and _BATCH.search(name) and name not in function.parameters.defaults:
                    inner.names[name] = Tensor(frozenset((machine.draw(),)))
            bind_unknown(machine, function, inner)
            for value in inner.names.values() if called else ():
                if isinstance(value, Schedule) and not value.built_by:
                    value.built_by = OUT_OF_SIGHT
            made = call(machine, replace(function, given=dict(inner.names)), [], {}, definition.node)
            give(machine, _of_closure(machine, made) if isinstance(made, Function) else made, definition.node)
            passes += len(machine.trained) - before > machine.world.n
            if passes == machine.world.calls:
                break
            if machine.trained and _built(machine) > built:
                break  # each call builds its optimizer
            if count == TRIES and not machine.trained:
                break

    return run


def _of_closure(machine: Machine, function: Function) -> Any:
    """The result of a function that a root returns, if it trains: only an unknown caller can call it."""
    return call_unseen(machine, function, {}, function.node) if machine.compiler.trains(function) else function


def _micro_batches(machine: Machine, definition: Definition, instance: Instance | None) -> Iterator[tuple[Any, Tensor | None]]:
    """For each call of a root, the index that its caller counts, and the micro-batch if the caller is known to draw it."""
    if instance is not None and lightning_manual.trains(instance, definition.name):
        yield from lightning_manual.micro_batches(machine, instance, definition.node)
        return
    for count in range(2 * machine.world.length):
        yield Num(count, frozenset((CALLERS_INDEX,))), None


def _walked(nodes: Iterable[cst.CSTNode]) -> Iterator[str]:
    """The names that a function's loops iterate over, directly or in a call. They count nothing, unless they bound a range."""
    for loop in (each for each in nodes if type(each) is cst.For):
        ranges = (each for each in calls_in(loop.iter) if last_name(each.func) in ("range", "trange"))
        bounds = {id(part) for each in ranges for part in walk(each)}
        yield from (each.value for each in walk(loop.iter) if isinstance(each, cst.Name) and id(each) not in bounds)


def _totals(nodes: Iterable[cst.CSTNode]) -> Iterator[str]:
    """The names of totals that numbers are compared with and that nothing changes. They do not count anything."""
    compared, changed = set[str](), set[str]()
    for each in nodes:
        if type(each) is cst.Comparison:
            compared.update(dotted(part) or "" for part in (each.left, *(other.comparator for other in each.comparisons)))
        elif type(each) is cst.AugAssign or type(each) is cst.AssignTarget:
            changed.add(dotted(each.target) or "")
    yield from (name for name in compared - changed if name.startswith("total"))


def _divisors(nodes: Iterable[cst.CSTNode]) -> Iterator[str]:
    """The names that something is divided by. They do not count anything."""
    for each in nodes:
        if type(each) is cst.BinaryOperation and isinstance(each.operator, (cst.Divide, cst.FloorDivide, cst.Modulo)):
            yield dotted(each.right) or ""
        elif type(each) is cst.AugAssign and isinstance(each.operator, (cst.DivideAssign, cst.FloorDivideAssign)):
            yield dotted(each.value) or ""


def _built(machine: Machine) -> int:
    """How many optimizers were built by known code."""
    return sum(1 for each in machine.gradients.optimizers if each.node is not None)


def method_of(definition: Definition, machine: Machine, frame: Frame) -> tuple[Function | None, Instance | None]:
    """The function. For a method, also an object of its class, constructed with what names and defaults suggest."""
    if definition.outer is not None:
        return None, None
    if definition.owner is None:
        value = frame.names.get(definition.name)
        if isinstance(value, Function) and value.node is not definition.node:  # the name was rebound to another function later
            value = define_function(definition.node, machine.compiler, definition.name)(frame)
        return (value, None) if isinstance(value, Function) else (None, None)
    cls = frame.names.get(definition.owner.name.value)
    if not isinstance(cls, ClassValue):
        return None, None
    cls = _derived(cls, definition.name, frame)
    instance = made_out_of_sight(machine, cls)
    value = cls.lookup(definition.name)[1]
    if not isinstance(value, Function):
        return None, None
    _filled(machine, instance, value)
    return value, None if value.is_static else instance


def _filled(machine: Machine, instance: Instance, root: Function) -> None:
    """Run the methods that set attributes which are None so far, except those that train: an unknown caller did so before."""
    for function in list(instance.cls.names.values()):
        empty = {name for name, value in instance.names.items() if value is None}
        if not isinstance(function, Function) or function.node is root.node or not function.parameters.positional:
            continue
        if not empty or machine.compiler.trains(function):
            continue
        if not empty.isdisjoint(machine.compiler.once(_attributes_built, function.node)):
            with contextlib.suppress(Raised):
                call_unseen(machine, function, {function.parameters.positional[0]: instance}, function.node)


def _attributes_built(node: cst.CSTNode) -> frozenset[str]:
    """The attributes of `self` that a method sets to the result of a call."""
    made = (each for each in walk(node) if type(each) is cst.Assign and isinstance(each.value, cst.Call))
    names = (dotted(target.target) or "" for each in made for target in each.targets)
    return frozenset(name.removeprefix("self.") for name in names if name.startswith("self."))


def _derived(cls: ClassValue, method: str, frame: Frame) -> ClassValue:
    """The class to use for an abstract one: the first subclass that implements its missing methods, but not this one."""
    left = [name for name, value in cls.names.items() if isinstance(value, Function) and _left_to_others(value)]
    for each in frame.names.values() if left else ():
        if isinstance(each, ClassValue) and cls in each.bases and method not in each.names and any(n in each.names for n in left):
            return each
    return cls


def _left_to_others(function: Function) -> bool:
    """Whether a method only raises NotImplementedError."""
    body = getattr(getattr(function.node, "body", None), "body", ())
    last = body[-1].body[0] if body and isinstance(body[-1], cst.SimpleStatementLine) else None
    raised = last.exc if isinstance(last, cst.Raise) else None
    return last_name(raised.func if isinstance(raised, cst.Call) else raised) == "NotImplementedError" if raised else False
