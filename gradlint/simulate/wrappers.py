"""Calls of unknown code that get an optimizer: wrappers of a backward pass and the update after it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import BOUNDARY_ARGUMENTS, Role
from gradlint.model.syntax.expressions import last_name, receiver_name
from gradlint.simulate.conditions import truth
from gradlint.simulate.contents import flattened
from gradlint.simulate.engines import deepspeed
from gradlint.simulate.given_back import given_back
from gradlint.simulate.machine import Machine
from gradlint.simulate.optimizing import backward, step, unknown_call
from gradlint.simulate.spelled_calls import asks_for_boundary
from gradlint.simulate.things import Engine, Optimizer
from gradlint.simulate.values import Factor, Opaque, Tensor

_ENGINE = re.compile(r"engine|deepspeed|(^|_)(model|net|network)(_|$)", re.I)

_OF_A_STEP = frozenset(("lr_kwargs",))
"""The arguments of an engine's step."""


def perhaps_engine(machine: Machine, value: Opaque, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """`engine.backward(loss)` and `engine.step()` of an unknown engine, or `loss.backward()` of an unknown loss."""
    if name == "backward" and not args and kwargs.keys() <= {"retain_graph", "create_graph", "inputs", "gradient"}:
        backward(machine, value, node)
        return None
    engine = value.kept.get("<engine>")
    spelled = receiver_name(node)
    given = [*args, *kwargs.values()]
    if name == "backward" and (any(map(optimizer_in, given)) or _spells_optimizer(machine, node)):
        engine = None  # an engine has an optimizer of its own
    elif engine is None and _ENGINE.search(spelled or value.last):
        engine = value.kept["<engine>"] = Engine(value.identity)
    steps = not args and kwargs.keys() <= _OF_A_STEP and machine.words.role_of_spelling(spelled or "") is not Role.SCHEDULER
    if engine is not None and (name == "backward" or steps):
        return deepspeed.method(machine, engine, name, args, kwargs, node)
    if name == "backward":
        backward(machine, combined(args[0] if args else kwargs.get("loss")), node, through="object")
        value.kept["<backward>"] = True
        return None
    optimizer = next(filter(None, map(optimizer_in, args)), None) if "<backward>" in value.kept else None
    if optimizer is not None:
        step(machine, optimizer, node, through="object")
    parts = flattened(given)
    unknown_call(machine, f"{value.last}.{name}", [value, *parts], node)
    return given_back(machine, args, kwargs, parts, node, value)


def _spells_optimizer(machine: Machine, node: cst.CSTNode) -> bool:
    """Whether an argument of a call has the name of an optimizer, whatever it is in this run."""
    names = (last_name(each.value) for each in getattr(node, "args", ()))
    return any(machine.words.role_of_spelling(name or "") is Role.OPTIMIZER for name in names)


def combined(value: Any) -> Any:
    """What unknown code backpropagates if it is given several losses: how it weighs them is its own affair."""
    losses = [each for each in flattened([value]) if isinstance(each, Tensor)]
    if len(losses) < 2:
        return value
    doubt = Factor(doubt="gradlint does not see how the losses are combined")
    terms = tuple((source, factor.times(doubt)) for each in losses for source, factor in each.terms or ())
    draws, models = (frozenset().union(*(getattr(each, name) for each in losses)) for name in ("draws", "models"))
    return replace(losses[-1], draws=draws, terms=terms, models=models)


def optimizer_in(value: Any) -> Optimizer | None:
    """The optimizer that a value is, or that was passed to the call that returned it."""
    if isinstance(value, Optimizer):
        return value
    return value.kept.get("<optimizer>") if type(value) is Opaque else None


def wrapper(machine: Machine, path: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """`loss_scaler(loss, optimizer, ..., update_grad=boundary)`: backward, and at the boundary everything that a step needs."""
    optimizer = next((each for each in args[1:3] if isinstance(each, Optimizer)), None)
    flags = [value for name, value in kwargs.items() if name in BOUNDARY_ARGUMENTS]
    flags += [
        value
        for arg, value in zip(node.args if isinstance(node, cst.Call) else (), args, strict=False)
        if isinstance(arg.value, cst.Comparison) or asks_for_boundary(arg)
    ]
    backward(machine, args[0] if args else kwargs.get("loss"), node, through="wrapper argument")
    flag = flags[0] if flags else True
    if optimizer is not None and truth(machine, flag):
        step(machine, optimizer, node, "wrapper argument", scaled=True)
    return Tensor(frozenset(), None, text="norm")
