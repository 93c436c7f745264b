"""Schedules: how many steps they are built for, and where the script says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import LENGTH_ARGUMENTS
from gradlint.model.syntax.expressions import dotted, last_name, walk
from gradlint.simulate.callables import Function, Instance
from gradlint.simulate.contents import flattened
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import CONSTANT, OUT_OF_SIGHT, Optimizer, Schedule
from gradlint.simulate.values import Num, Opaque, number, of_length, settings_of

Told = tuple[cst.CSTNode, str, Any]
"""Where a number of steps is given, by which name, and the number."""

PLAIN = frozenset("max min abs float int pow round cos sin exp sqrt log tanh".split())
"""Functions that a factor may call while its result still depends only on what the factor itself reads."""

_COMPOSED = frozenset(("SequentialLR", "ChainedScheduler"))
"""Schedules that consist of others, and step them."""


def build(machine: Machine, path: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Schedule:
    """A schedule, with the numbers of steps passed to its constructor."""
    last = path.rsplit(".", 1)[-1]
    optimizer = next((each for each in (*args, *kwargs.values()) if isinstance(each, Optimizer)), None)
    plain: frozenset[int] = frozenset()
    kind = args[0] if args else kwargs.get("name")
    if last == "get_constant_schedule" or (last == "get_scheduler" and kind == CONSTANT):
        return Schedule(last, node, optimizer=optimizer, built_by=CONSTANT)
    if last in _COMPOSED:
        parts = [each for each in flattened([*args, *kwargs.values()]) if type(each) is Schedule]
        length = parts[-1].length if parts else None
        lengths = tuple(told for each in parts for told in each.lengths)
    elif last == "LambdaLR":
        factor = args[1] if len(args) > 1 else kwargs.get("lr_lambda")
        length, lengths = _of_factor(machine, factor, node)
        plain = frozenset(_plain_in(factor)) if isinstance(factor, Function) else plain
    else:
        lengths = tuple(_told(machine, last, args, kwargs, node))
        length = lengths[-1][2] if lengths else None
    known = length is not None or path.startswith(("torch.", "transformers.")) or last in machine.words.schedulers
    return Schedule(
        last, node, optimizer=optimizer, length=length, lengths=lengths, plain=plain, built_by=last if known else OUT_OF_SIGHT
    )


def _told(machine: Machine, last: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Iterator[Told]:
    """The numbers of steps among the arguments. The schedule's length comes last, if it is known which one that is."""
    from gradlint.simulate.arithmetic import binary

    given = sorted(
        ((name, value) for name, value in kwargs.items() if name in LENGTH_ARGUMENTS), key=lambda each: "warm" not in each[0]
    )
    for place in _positions(last):
        if place < len(args):
            yield argument(node, place), "", args[place]
    for name, value in given:
        each = value
        if name == "steps_per_epoch" and last == "OneCycleLR":
            each = binary(machine, cst.Multiply, value, kwargs.get("epochs", 1), node)
        yield argument(node, name), name, each


def _positions(last: str) -> tuple[int, ...]:
    """The positions of the lengths among a schedule's positional arguments."""
    if last in ("CosineAnnealingLR", "PolynomialLR"):
        return (1,)
    if last.startswith("get_") and last.endswith("schedule_with_warmup"):
        return (1, 2)
    return (2,) if last == "OneCycleLR" else ()


def argument(node: cst.CSTNode, key: int | str) -> cst.CSTNode:
    """Where an argument is given: the dictionary it is unpacked from, if it has no place in the call."""
    args = node.args if isinstance(node, cst.Call) else ()
    if isinstance(key, int):
        plain = [arg.value for arg in args if arg.keyword is None and not arg.star]
        return plain[key] if key < len(plain) else node
    named = (arg.value for arg in args if arg.keyword is not None and arg.keyword.value == key)
    return next(named, next((arg.value for arg in args if arg.star == "**"), node))


def _of_factor(machine: Machine, factor: Any, node: cst.CSTNode) -> tuple[Any, tuple[Told, ...]]:
    """The length that a factor uses, if it reads lengths of data. If it calls other functions, the number is unknown.

    If it reads only settings, only those are known: a run may end after as many steps.
    """
    from gradlint.simulate.calling import call

    if not isinstance(factor, Function):
        return None, ()
    step = frozenset(("a step",))
    found = settings_of(call(machine, factor, [Num(5, step)], {}, node)) - step
    alone = all(last_name(each.func) in PLAIN for each in walk(factor.node) if isinstance(each, cst.Call))
    if not any(map(of_length, found)):
        whole = alone and not any(map(machine.counts_steps, found))  # otherwise something may divide it
        return None, tuple(_settings_in(factor, machine, found)) if whole else ()
    # Whatever else it is computed from may divide what it reads.
    read = tuple((place, name, Num(value.value, value.of | found)) for place, name, value in _of_data_in(factor)) if alone else ()
    if not read:
        return Opaque("a length of data"), ()
    return max((value for _, _, value in read), key=lambda each: number(each) or 0), read


def _plain_in(factor: Function) -> Iterator[int]:
    """The whole numbers in a function's computation: those in its text, and those it reads that depend on no setting."""
    yield from (int(each.value) for each in walk(factor.node) if isinstance(each, cst.Integer) and each.value.isdecimal())
    yield from (value for _, _, value in _read_by(factor) if type(value) is int)


def _of_data_in(factor: Function) -> Iterator[tuple[cst.CSTNode, str, Num]]:
    """The numbers computed from lengths of data that a function reads from outside."""
    yield from (each for each in _read_by(factor) if type(each[2]) is Num and any(map(of_length, each[2].of)))


def _settings_in(factor: Function, machine: Machine, found: frozenset[str]) -> Iterator[Told]:
    """The numbers of the settings that a function reads from outside."""
    for node, name, value in _read_by(factor):
        known = machine.number_of(value) if type(value) is Opaque and value.identity in found else value
        if type(known) is Num and known.of:
            yield node, name, known


def _read_by(factor: Function) -> Iterator[tuple[cst.CSTNode, str, Any]]:
    """What a function reads from outside, each at its first place."""
    own = {*factor.parameters.positional, *factor.parameters.keyword_only}
    seen: set[str] = set()
    for node in walk(factor.node):
        name = dotted(node) if isinstance(node, (cst.Name, cst.Attribute)) else None
        root, _, rest = (name or "").partition(".")
        if name is None or name in seen or root in own:
            continue
        value = factor.frame.lookup(root)[1]
        if rest:
            of_setting = Opaque(f"{value.identity}.{rest}") if type(value) is Opaque else None
            value = value.names.get(rest) if isinstance(value, Instance) else of_setting
        seen.add(name)
        yield node, name, value
