"""Guesses the result of an unseen call: data, a loss, or a setting."""

from __future__ import annotations

import re
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import LOSS_SPELLING, Role
from gradlint.model.syntax.expressions import last_name
from gradlint.simulate.callables import Instance, Stream
from gradlint.simulate.contents import draws_in, is_data, models_of
from gradlint.simulate.contrast import compares
from gradlint.simulate.curved import begins_anew
from gradlint.simulate.joined import joined
from gradlint.simulate.loaders import counts_windows
from gradlint.simulate.machine import Machine
from gradlint.simulate.masks import MASKS, of_tokens
from gradlint.simulate.spelled_calls import asks_for_machine
from gradlint.simulate.things import Gradient, Loader, Network, Optimizer, Parameter, Scaler, Schedule
from gradlint.simulate.values import DRIFT, IN_WINDOWS, NORM, OF_WEIGHTS, OVER_ROWS, WALKS, Answer, Factor, Opaque, Tensor, number
from gradlint.simulate.world import known_package

_CONSTANT = re.compile(r"^torch\.(zeros|ones|empty|full)(_like)?$")
"""Tensors that are not losses, whatever is added to them."""
_CLASS = re.compile(r"_?[A-Z]\w*[a-z]\w*")
"""How class names look."""
_ASKS = re.compile(r"(is|has|supports)_?[a-z]")
_OF_FILES = frozenset("os json pathlib sys shutil re logging yaml pickle glob datetime socket platform".split())


def given_back(
    machine: Machine, args: list[Any], kwargs: dict[str, Any], parts: list[Any], node: cst.CSTNode, callee: Any
) -> Any:
    """The result of an unseen call: data if it is given data or runs in a loop, otherwise a setting.

    `parts` are all the values in its arguments.
    """
    asked = last_name(node.func) if isinstance(node, cst.Call) else None
    if asked is not None and machine.in_loop and asked in machine.words.boundaries:
        return Opaque(asked)
    given = [*args, *kwargs.values()]
    models = models_of(callee)
    if isinstance(callee, Instance):
        models = frozenset((callee.identity or callee.cls.name,))
    tensors = [each for each in parts if is_data(each)] if machine.loops else []
    walked = _walked(machine, node, parts, callee) if machine.in_loop and not draws_in(tensors) else None
    if walked is not None:
        return Tensor(frozenset(), None, models, kept={WALKS: walked})
    if tensors:
        if all(each.terms is None for each in tensors) and not _computes(callee, node):
            return Tensor(frozenset().union(*(each.draws for each in tensors)), None, models)
        made = joined(
            machine, node, parts, models, across=compares(callee, args, kwargs), anew=begins_anew(machine, callee, given)
        )
        made = of_tokens(machine, callee, args, kwargs, made)
        made.detached = made.detached or not machine.grad
        return made.scaled_by(Factor(doubt=OVER_ROWS)) if _sums(callee, kwargs) else made
    kinds = set(map(type, parts))
    if Answer in kinds:
        return next(each for each in parts if type(each) is Answer)
    if Gradient in kinds:
        return Tensor(frozenset(), None, NORM)
    if machine.in_loop and isinstance(callee, Opaque) and _CONSTANT.search(callee.identity):
        return Tensor(frozenset(), None)
    name = machine.compiler.spelled(node) if isinstance(node, cst.Call) else "call"
    if isinstance(callee, Opaque) and callee.last in ("deepcopy", "copy"):
        return Opaque(name[:120], models=frozenset((f"{name[:40]} at {machine.compiler.place(node)}",)))
    called = callee.last if isinstance(callee, Opaque) else ""
    spells_loss = machine.loops and LOSS_SPELLING.search(called) and not called[:1].isupper()  # a class makes a criterion
    wrapped = next((each for each in parts if type(each) is Optimizer), None)
    if spells_loss or (machine.in_loop and wrapped is None and not _is_fixed(machine, node, callee, args)):
        made = joined(machine, node, parts, models)
        made.models |= DRIFT if _asked_anew(machine, node, parts, callee) else frozenset()
        return made
    for each in parts:
        models |= models_of(each) if not isinstance(each, Parameter) else models_of(each.owner)
    unknown_thing = Opaque(name[:120], models=models | {f"{name[:40]} at {machine.compiler.place(node)}"})
    if wrapped is not None:
        unknown_thing.kept["<optimizer>"] = wrapped
    if isinstance(callee, Opaque) and _CLASS.fullmatch(callee.last) is not None:
        unknown_thing.kept.update(_held(args, kwargs, node))
    if Parameter in kinds:
        unknown_thing.kept[OF_WEIGHTS] = True
    if _sums(None, kwargs):
        unknown_thing.kept["<sums>"] = True
    if "ignore_index" in kwargs:
        unknown_thing.kept[MASKS] = True
    if any(counts_windows(machine, each) for each in kwargs.values()):
        unknown_thing.kept[IN_WINDOWS] = True
    return unknown_thing


def _held(args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> dict[str, Any]:
    """The training objects that an unseen class is built with, under the names of its arguments."""
    given = node.args if isinstance(node, cst.Call) else ()
    names = [last_name(each.value) or "" for each in given if each.keyword is None and not each.star]
    parts = [*zip(names, args, strict=False), *kwargs.items()]
    return {name: value for name, value in parts if name and isinstance(value, (Network, Optimizer, Schedule, Scaler))}


def _walked(machine: Machine, node: cst.CSTNode, parts: list[Any], callee: Any) -> Any:
    """The loader that the result of a call iterates over batch by batch. No argument may give a number of batches per item."""
    if not isinstance(callee, Opaque) or known_package(callee.identity):
        return None
    if any(number(each) is not None or (type(each) is Opaque and machine.counts_steps(each.identity)) for each in parts):
        return None
    name = last_name(node.func) if isinstance(node, cst.Call) else None
    loaders = [each for each in parts if _gives_batches(machine, each)]
    return loaders[0] if len(loaders) == 1 and machine.words.role_of_spelling(name or "") is not Role.ENDLESS else None


def _gives_batches(machine: Machine, value: Any) -> bool:
    """Whether a value is a loader, an iterator over one, or an unknown value named like a loader."""
    if type(value) is Opaque:
        return machine.words.role_of_spelling(value.last) is Role.LOADER
    return isinstance(value.source if isinstance(value, Stream) else value, Loader)


def _sums(callee: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a criterion sums over its rows, as passed to the call or to its constructor."""
    told = kwargs.get("reduction")
    return told == "sum" or (told is None and type(callee) is Opaque and "<sums>" in callee.kept)


def _asked_anew(machine: Machine, node: cst.CSTNode, parts: list[Any], callee: Any) -> bool:
    """Whether a numpy function is called with other numbers than before. Other unseen code may keep its own count."""
    if not (isinstance(callee, Opaque) and callee.identity.startswith("numpy.")):
        return False
    numbers = tuple(number(each) for each in parts)
    if machine.handed.setdefault(node, numbers) == numbers:
        return False
    machine.handed[node] = ()  # one change is enough, whatever it is called with later
    return True


def _is_fixed(machine: Machine, node: cst.CSTNode, callee: Any, args: list[Any]) -> bool:
    """Whether a call in a loop does not depend on the data: files, the clock, the accumulation steps."""
    path = callee.identity if isinstance(callee, Opaque) else ""
    called = last_name(node.func) if isinstance(node, cst.Call) else None
    if not args and asks_for_machine(called or ""):
        return True
    if path.split(".")[0] in _OF_FILES or machine.counts_steps(called or "") or _asks_for_member(called or "", args):
        return True
    # A class wraps its arguments in an object, which is not data.
    return isinstance(callee, Opaque) and _CLASS.fullmatch(callee.last) is not None and not known_package(path)


def _asks_for_member(called: str, args: list[Any]) -> bool:
    """Whether a call checks if an object has a member, by its name: `is_implemented(model, "optimize")`."""
    return len(args) == 2 and isinstance(args[1], str) and args[1].isidentifier() and _ASKS.match(called) is not None


def _computes(callee: Any, node: cst.CSTNode) -> bool:
    """Whether a call with data may be a forward pass, because it is not a plain function of the data."""
    path = callee.identity if isinstance(callee, Opaque) else ""
    return not path.startswith(("torch.tensor", "torch.cat", "torch.stack", "numpy.", "np.", "torch.from_numpy", "torch.zeros"))
