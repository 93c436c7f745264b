"""Schedules of a class of the text that derives from one of PyTorch's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import Role
from gradlint.model.syntax.expressions import dotted, last_name, walk
from gradlint.simulate.callables import Bound, Function, Instance
from gradlint.simulate.contents import flattened
from gradlint.simulate.machine import Machine
from gradlint.simulate.schedules import PLAIN, Told, argument
from gradlint.simulate.things import OUT_OF_SIGHT, Optimizer, Schedule
from gradlint.simulate.values import Num, number, of_length, settings_of

_FACTORS = ("get_lr", "lr_lambda")
"""The methods that compute the rate of a step."""
_ASIDE = frozenset(("super", "zip", "warn", "isinstance", "len", "get_lr", "__init__"))
"""Calls in them that change no count of steps."""


def own_schedule(machine: Machine, made: Instance, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Schedule | None:
    """The schedule that an object is, if its class derives from one of PyTorch's and leaves `step` to it."""
    base = next((each for each in made.cls.outside if machine.words.role_of_constructor(each) is Role.SCHEDULER), None)
    if base is None or made.cls.lookup("step")[0]:
        return None
    optimizer = next((each for each in flattened([*args, *kwargs.values()]) if isinstance(each, Optimizer)), None)
    factors = [each for name in _FACTORS if isinstance(each := made.cls.lookup(name)[1], Function)]
    lengths = tuple(_lengths(machine, made, factors, args, kwargs, node))
    known = [value for _, _, value in lengths if any(map(of_length, settings_of(value)))]
    length = max(known, key=lambda each: number(each) or 0) if known else None
    built_by = base.rpartition(".")[2] if length is not None else OUT_OF_SIGHT
    schedule = Schedule(made.cls.name, node, optimizer=optimizer, length=length, lengths=lengths, built_by=built_by)
    methods = {name: Bound(made, each) for name, each in made.cls.names.items() if isinstance(each, Function)}
    schedule.kept.update({**methods, **made.names})
    return schedule


def _lengths(
    machine: Machine, made: Instance, factors: list[Function], args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode
) -> Iterator[Told]:
    """The arguments of the constructor that are numbers of steps: its attributes for the factor have the same numbers.

    Nothing is known of them if the factor calls other functions, or also reads how many micro-batches there are in a window.
    """
    calls = (last_name(each.func) for factor in factors for each in walk(factor.node) if isinstance(each, cst.Call))
    if any(each not in PLAIN | _ASIDE for each in calls):
        return
    read = [each for factor in factors for each in _read_by(machine, made, factor)]
    of = frozenset().union(*map(settings_of, read))
    if any(map(machine.counts_steps, of)):
        return
    init = made.cls.lookup("__init__")[1]
    names = init.parameters.positional[1:] if isinstance(init, Function) else ()
    given: list[tuple[int | str, str, Any]] = [
        *((place, name, value) for place, (name, value) in enumerate(zip(names, args, strict=False))),
        *((name, name, value) for name, value in kwargs.items()),
    ]
    for key, name, value in given:
        known = machine.number_of(value)
        same = (each for each in read if number(each) == number(known) and settings_of(each) == settings_of(known))
        if type(known) is Num and known.of and next(same, None) is not None:
            yield argument(node, key), name, known


def _read_by(machine: Machine, made: Instance, factor: Function) -> Iterator[Num]:
    """The numbers among the attributes of the object that a factor reads."""
    own = factor.parameters.positional[0] if factor.parameters.positional else ""
    names = {dotted(each) or "" for each in walk(factor.node) if isinstance(each, cst.Attribute)}
    for name in sorted(names):
        value = machine.number_of(made.names.get(name.removeprefix(f"{own}."))) if name.startswith(f"{own}.") else None
        if type(value) is Num:
            yield value
