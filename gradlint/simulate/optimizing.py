"""What happens to gradients and weights. Each function does one thing that a training loop does, and records it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import libcst as cst

from gradlint.simulate.callables import External, Function, Instance
from gradlint.simulate.contents import flattened, is_data, models_of
from gradlint.simulate.engines.accelerate import leaves_to_engine, waits
from gradlint.simulate.gradients import held_by, terms_of
from gradlint.simulate.hooks import after_backward, around_step, factor_of_hooks
from gradlint.simulate.machine import Machine
from gradlint.simulate.owners import is_layer, is_part, is_teacher, layers_of, optimizers_of, owners_of, spells_model
from gradlint.simulate.things import (
    CONSTANT,
    OUT_OF_SIGHT,
    Accelerator,
    Average,
    Gradient,
    Loader,
    Network,
    Optimizer,
    Parameter,
    Scale,
    Scaler,
    Schedule,
)
from gradlint.simulate.trace import PAST_END, Length, What
from gradlint.simulate.values import BATCHES, NORM, ONE, Factor, Opaque, Source, Tensor, number, settings_of


def backward(
    machine: Machine,
    loss: Any,
    node: cst.CSTNode,
    factor: Factor = ONE,
    through: str = "",
    *,
    retains: bool = False,
    engines: Factor | None = None,
) -> None:
    """Backpropagate a loss, with each term multiplied by a factor; `engines` is the part of that factor set by an engine."""
    factor = factor.times(factor_of_hooks(machine))
    for each in flattened([loss]):
        given = loss_of(machine, each, node)
        terms, feeds = machine.gradients.accumulate(given, factor, len(machine.events))
        known = len(machine.gradients.optimizers)
        reduction = machine.reductions.of(terms, given.reduced, machine.path)
        machine.note(
            What.BACKWARD,
            node,
            terms=terms,
            scaled=given.scaler is not None,
            reduced=reduction.done,
            parallel=reduction.by,
            at=reduction.held_back,
            forward=reduction.forward,
            wrapped=reduction.wrapped,
            through=through,
            feeds=feeds,
            known=known,
            retains=retains,
            value=engines,
            inside=tuple(place for _, place in machine.told),
            stretches=given.draws & machine.stretches,
        )
    after_backward(machine)


def loss_of(machine: Machine, value: Any, node: cst.CSTNode) -> Tensor:
    """A value as a loss. A value that does not look like one becomes a term with an unknown factor."""
    if isinstance(value, Tensor) and value.terms is not None:
        return value
    draws = value.draws if is_data(value) else frozenset()
    doubt = Factor(doubt="gradlint does not see where the loss comes from")
    return Tensor(draws, ((Source(machine.micro(draws), node, models_of(value)), doubt),), models_of(value))


def clear(machine: Machine, owner: Any, node: cst.CSTNode, *, one_by_one: bool = False) -> None:
    """Zero the gradients of an optimizer, of a model's weights, or, if the owner is unknown, all of them.

    If they are cleared one by one, rather than by a loop over all of them, unknown others may keep theirs.
    """
    if isinstance(owner, Optimizer):
        if waits(machine, owner) or leaves_to_engine(machine, owner):
            return
        chosen = machine.gradients.sharing([owner])
    elif is_part(owner) or is_layer(machine, owner) or is_teacher(machine, owner):
        unknown_call(machine, "zero_grad", [Parameter(owner=owner)], node)
        return
    else:
        chosen = machine.gradients.of(owners_of(owner) | layers_of(owner))
    if not chosen and machine.gradients.optimizers:
        unknown_call(machine, "zero_grad", [Parameter(owner=owner)], node)
        return
    if len(chosen) == len(machine.gradients.optimizers):
        held = tuple((each.source, each.factor) for each in machine.gradients.strays)
    else:
        held = tuple(term for each in chosen for term in terms_of(each))
    through = "parameter" if one_by_one else ""
    for each in chosen:
        machine.note(What.ZERO, node, target=each.number, terms=terms_of(each), held=held_by(each), through=through)
    if not chosen:
        machine.note(What.ZERO, node, terms=held, held=tuple(each.event for each in machine.gradients.strays), through=through)
    machine.gradients.clear(chosen)


def rescale(machine: Machine, owner: Any, factor: Factor, node: cst.CSTNode) -> None:
    """Multiply gradients."""
    chosen = optimizers_of(machine, owner)
    machine.gradients.rescale(chosen, factor)
    for each in chosen:
        machine.note(What.RESCALE, node, target=each.number, value=factor, terms=terms_of(each))


def step(machine: Machine, optimizer: Optimizer, node: cst.CSTNode, through: str = "", *, scaled: bool = False) -> None:
    """Update the weights."""
    if waits(machine, optimizer) or not (machine.in_loop or machine.trained):
        return  # before the first backward pass there are no gradients, and PyTorch skips the weights
    around_step(machine, optimizer, "register_step_pre_hook")
    terms = terms_of(optimizer)
    machine.note(What.STEP, node, target=optimizer.number, terms=terms, held=held_by(optimizer), scaled=scaled, through=through)
    if through == "scaler":
        if optimizer.through_scaler:
            machine.raises.add("`scaler.step` would run twice between two updates of the scaler, which PyTorch refuses")
        optimizer.through_scaler = True
    optimizer.stepped = True
    if leaves_to_engine(machine, optimizer):
        machine.gradients.clear([optimizer])
    around_step(machine, optimizer, "register_step_post_hook")


def stepped(machine: Machine, value: Opaque) -> Optimizer:
    """The optimizer that a scaler steps. Anything that a scaler steps is an optimizer, whatever its name."""
    known = value.kept.get("<optimizer>")
    if known is None:
        known = value.kept["<optimizer>"] = machine.gradients.add(Optimizer(value.identity))
    assert isinstance(known, Optimizer)
    return known


def clip(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, through: str = "", text: str = "") -> Any:
    """Clip gradients and return their norm. `text` is the full name of the clipping function."""
    if _measures(args, kwargs):
        return Tensor(frozenset(), None, NORM, text="norm")
    if any(isinstance(each, Scale) for each in (*args, *kwargs.values())):
        through = through or "told the scale"
    given = args[0] if args else kwargs.get("parameters", kwargs.get("model"))
    chosen = optimizers_of(machine, given) if given is not None else machine.gradients.optimizers
    known = [each for each in chosen if each.models & owners_of(given)]
    chosen = known or chosen  # an optimizer with unknown weights is only meant if no other one is
    numbers = tuple(float(number(each) or 0.0) for each in [*args[1:], *kwargs.values()] if number(each) is not None)
    for each in chosen or (None,):
        held = terms_of(each) if each is not None else tuple((s.source, s.factor) for s in machine.gradients.strays)
        scaled = each is not None and not each.unscaled and any(part.scaled for part in each.held)
        target = each.number if each is not None else -1
        places = held_by(each) if each is not None else ()
        machine.note(
            What.CLIP,
            node,
            target=target,
            terms=held,
            held=places,
            scaled=scaled,
            through=through,
            numbers=numbers,
            text=text,
            sharded=_of_shards(machine, given),
        )
    return Tensor(frozenset(), None, NORM, text="norm")


def _of_shards(machine: Machine, given: Any) -> bool:
    """Whether something is the parameters of a model that is certainly sharded on the current path."""
    owners = [each.owner for each in flattened([given]) if isinstance(each, Parameter)]
    models = [each for each in owners if isinstance(each, Network) and each.sharded]
    return bool(models) and all(each.is_certain(machine.path) for each in models)


def _measures(args: list[Any], kwargs: dict[str, Any]) -> bool:
    """Whether a clip only measures the norm: its bound is infinite, or a flag turns clipping off."""
    told = any(value is False and "clip" in name for name, value in kwargs.items())
    return told or any(_endless(each) for each in (*args[1:], *kwargs.values()))


def _endless(bound: Any) -> bool:
    return number(bound) == math.inf or (isinstance(bound, External) and bound.path.endswith(".inf"))


def unscale(machine: Machine, optimizer: Optimizer, scaler: Scaler, node: cst.CSTNode) -> None:
    """Divide the scaler's factor out of the gradients."""
    again = optimizer.awaits_update is scaler
    terms = terms_of(optimizer)
    machine.note(What.UNSCALE, node, target=optimizer.number, terms=terms, scaled=optimizer.unscaled, again=again)
    if again:
        machine.raises.add("`unscale_` would run twice between two updates of the scaler, which PyTorch refuses")
    optimizer.unscaled, optimizer.awaits_update = True, scaler
    for each in optimizer.held:
        each.scaled = False


def advance(machine: Machine, schedule: Schedule, args: list[Any], node: cst.CSTNode) -> None:
    """Set the learning rate of the next update."""
    if waits(machine, schedule) or schedule.built_by == CONSTANT:
        return
    length = machine.number_of(schedule.length) if schedule.length is not None else None
    doubt = (
        "its factor may depend on a count of micro-batches"
        if type(schedule.length) is Opaque and schedule.built_by == "LambdaLR"
        else ""
    )
    if BATCHES in settings_of(length) and settings_of(length) & machine.split:
        doubt = doubt or "each batch may be a whole window"
    known = Factor(float(number(length) or 0), settings_of(length), doubt) if length is not None else None
    if schedule.built_by == OUT_OF_SIGHT:
        known = Factor(doubt="gradlint does not see how many steps it is built for")
    schedule.taken += 1
    if schedule.built_by == "OneCycleLR" and known is not None and schedule.taken > known.value and not known.doubt:
        machine.raises.add(PAST_END)
    target = schedule.optimizer.number if schedule.optimizer is not None else -1
    machine.note(
        What.SCHEDULE,
        node,
        target=target,
        value=known,
        text=schedule.identity,
        handed=frozenset(("argument",) if args else ()),
        numbers=tuple(float(known) for known in map(number, args) if known is not None),
        through="accelerator" if schedule.prepared is not None else "",
        lengths=tuple(_told(machine, schedule)),
    )


def _told(machine: Machine, schedule: Schedule) -> Iterator[Length]:
    """The known numbers of steps that a schedule was given."""
    for place, name, value in schedule.lengths:
        count = number(machine.number_of(value))
        if count is not None:
            of = settings_of(machine.number_of(value))
            doubt = "each batch may be a whole window" if BATCHES in of and of & machine.split else ""
            yield Length(place, name, Factor(float(count), of, doubt), schedule.plain)


def average(machine: Machine, node: cst.CSTNode, what: Any, given: list[Any]) -> None:
    """Add the weights to an average. An average that gets data averages numbers instead."""
    parts = flattened(given)
    if any(is_data(each) for each in parts):
        return
    machine.note(What.AVERAGE, node, text=getattr(what, "identity", ""))


def scaler_update(machine: Machine, scaler: Scaler, node: cst.CSTNode) -> None:
    """Set the scaler's factor for the next windows."""
    machine.note(What.SCALER_UPDATE, node, text=scaler.identity)
    for each in machine.gradients.optimizers:
        each.through_scaler = False
        each.awaits_update = None if each.awaits_update is scaler else each.awaits_update
    if not scaler.checked and scaler.node is not None:
        machine.raises.add("`scaler.update()` would run without a step since the last one, which PyTorch refuses")
    scaler.checked = False
    for each in machine.gradients.optimizers:
        each.unscaled = False


_SILENT = frozenset((Tensor, str, type(None), External, Function))
"""Types of arguments that are not recorded when they are passed to unknown code."""


def unknown_call(machine: Machine, text: str, values: list[Any], node: cst.CSTNode) -> None:
    """Record a call of unknown code, with all values inside its arguments."""
    handed: set[str] = set()
    numbers: list[float] = []
    for value in values:
        if type(value) in _SILENT:
            continue
        if isinstance(value, Parameter):
            handed.add("parameters")
        elif isinstance(value, Loader):
            handed.add("data")
        elif isinstance(value, Accelerator):
            handed.add("accelerator")
        elif isinstance(value, Instance) and value.cls.outside:
            handed.add("an object of an unknown class")
        elif isinstance(value, (Optimizer, Schedule, Scaler, Average, Gradient, Network)):
            handed.add(type(value).__name__.lower())
        elif type(value) is Opaque and spells_model(value):
            handed.add("network")
        elif number(value) is not None:
            numbers.append(float(number(value) or 0))
    if handed or numbers:
        machine.note(What.CALL, node, handed=frozenset(handed), numbers=tuple(numbers), text=text)
