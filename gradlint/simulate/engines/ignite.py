"""ignite: an `Engine` calls its process function with each batch of each epoch, and handlers at its events in between.

Based on ignite 0.6: `Engine.run`, `_internal_run_as_gen`, `_run_once_on_dataset_as_gen` and `add_event_handler`; the filters of
`CallableEventWithFilter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst

from gradlint.simulate.callables import Bound, External, Frame, Function, Instance, Partial
from gradlint.simulate.conditions import truth
from gradlint.simulate.engines.accelerate import named_steps
from gradlint.simulate.iteration import ENDLESS, items_of, length
from gradlint.simulate.logs import give
from gradlint.simulate.machine import Machine
from gradlint.simulate.stops import Stopped
from gradlint.simulate.things import IgniteEngine, Schedule, Thing
from gradlint.simulate.values import Opaque, number, settings_of, whole
from gradlint.simulate.world import PASSES

_EVENTS = (
    "STARTED",
    "COMPLETED",
    "EPOCH_STARTED",
    "EPOCH_COMPLETED",
    "ITERATION_STARTED",
    "ITERATION_COMPLETED",
    "GET_BATCH_STARTED",
    "GET_BATCH_COMPLETED",
)
_FILTERS = ("event_filter", "every", "once", "before", "after")
_RUN = ("data", "max_epochs", "max_iters", "epoch_length")


@dataclass(frozen=True, eq=False)
class Moment:
    """An event, and which of its occurrences count: those that a filter accepts."""

    name: str
    every: Any = None
    once: Any = None
    after: Any = None
    before: Any = None
    event_filter: Any = None


@dataclass(frozen=True, eq=False)
class Handler:
    """A function, the event that calls it, the other arguments that it gets, and the node that registers it."""

    moment: Moment
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    node: cst.CSTNode


def engine(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> IgniteEngine:
    """`Engine(process_function)`."""
    state = Opaque(f"the state at {machine.compiler.place(node)}", kept=dict.fromkeys(("iteration", "epoch"), 0))
    process = args[0] if args else kwargs.get("process_function")
    return IgniteEngine("engine", node, kept={"state": state}, process=process)


def filtered(name: str) -> Callable[[Machine, list[Any], dict[str, Any], cst.CSTNode, Frame | None], Moment]:
    """What a call of an event makes: `Events.ITERATION_COMPLETED(every=4)`."""

    def run(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Moment:
        given = dict(zip(_FILTERS, args, strict=False)) | kwargs
        return Moment(name, **{key: given[key] for key in _FILTERS if key in given})

    return run


def method(machine: Machine, engine: IgniteEngine, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of an Engine."""
    if name == "run":
        _run(machine, engine, dict(zip(_RUN, args, strict=False)) | kwargs, node)
        return engine.kept["state"]
    if name == "add_event_handler" and len(args) > 1:
        add(machine, engine, args[0], args[1], args[2:], kwargs, node)
    elif name == "fire_event" and args:
        _fire(machine, engine, _moment(args[0]).name)
    return Opaque(f"{engine.identity}.{name}()")


def add(
    machine: Machine, engine: IgniteEngine, event: Any, function: Any, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode
) -> None:
    """Register a function to be called at an event."""
    moment, acts = _moment(event), _acts(machine, function)
    if acts and not isinstance(event, (Moment, External, str)):
        raise Stopped("gradlint does not see at which events ignite calls this", node)
    if moment.every is not None and acts:
        steps = named_steps(machine, moment.every)
        if not settings_of(steps) and whole(steps, 1) > 1:
            machine.asked.moduli.add(whole(steps, 1))
    engine.handlers.append(Handler(moment, function, tuple(args), kwargs, node))


def _moment(event: Any) -> Moment:
    if isinstance(event, Moment):
        return event
    return Moment(event.last if isinstance(event, External) else event if isinstance(event, str) else "")


def _acts(machine: Machine, function: Any) -> bool:
    """Whether a handler affects training."""
    inner = _inner(function)
    if isinstance(inner, Bound):
        return isinstance(inner.receiver, Thing)
    return isinstance(inner, Function) and machine.compiler.aims.of(getattr(inner.node, "body", None)).matters


def _inner(function: Any) -> Any:
    """The function of the text that a callable calls in the end."""
    while isinstance(function, (Partial, Bound)):
        if isinstance(function, Bound) and isinstance(function.method, str):
            return function
        function = function.call if isinstance(function, Partial) else function.method
    if isinstance(function, Instance):
        return function.cls.lookup("__call__")[1]
    return function


def _run(machine: Machine, engine: IgniteEngine, given: dict[str, Any], node: cst.CSTNode) -> None:
    """`engine.run(data, max_epochs, max_iters, epoch_length)`: the epochs, and the iterations in each.

    With an `epoch_length`, an epoch goes on where the last one left the data, which begin again at their end.
    """
    data, most, ahead = given.get("data"), given.get("max_iters"), given.get("epoch_length")
    inner = _inner(engine.process)
    trains = isinstance(inner, Function) and machine.compiler.trains(inner)
    state = engine.kept["state"].kept
    size = ahead if ahead is not None else length(machine, data)
    epochs = given.get("max_epochs") if most is None else PASSES
    state.update(iteration=0, epoch=0, max_epochs=given.get("max_epochs"), max_iters=most, epoch_length=size, dataloader=data)
    last = whole(machine.number_of(most), ENDLESS) if most is not None else ENDLESS
    per_epoch = whole(machine.number_of(ahead), ENDLESS) if ahead is not None else ENDLESS
    over = _again(machine, data, node) if ahead is not None else None
    _fire(machine, engine, "STARTED")
    level = len(machine.loops)
    _enter(machine, node.func if isinstance(node, cst.Call) else node)
    for _ in range(min(max(whole(machine.number_of(epochs), 1), 1), PASSES) if trains else 1):
        machine.begin(None)
        state["epoch"] += 1
        _fire(machine, engine, "EPOCH_STARTED")
        _enter(machine, node)
        batches = over if over is not None else items_of(machine, data, node)
        for count, batch in enumerate(batches, 1):
            machine.tick(node)
            machine.begin(batch)
            _iterate(machine, engine, batch)
            if count == per_epoch or state["iteration"] >= last or not trains:
                break
        del machine.loops[level + 1 :], machine.draws[level + 1 :]
        _fire(machine, engine, "EPOCH_COMPLETED")
        if state["iteration"] >= last:
            break
    del machine.loops[level:], machine.draws[level:]
    _fire(machine, engine, "COMPLETED")


def _iterate(machine: Machine, engine: IgniteEngine, batch: Any) -> None:
    """One iteration: its events, and the call of the process function in between."""
    from gradlint.simulate.calling import call

    state, node = engine.kept["state"].kept, engine.node or cst.Pass()
    _fire(machine, engine, "GET_BATCH_STARTED")
    state["batch"] = batch
    _fire(machine, engine, "GET_BATCH_COMPLETED")
    state["iteration"] += 1
    _fire(machine, engine, "ITERATION_STARTED")
    state["output"] = call(machine, engine.process, [engine, state["batch"]], {}, node)
    give(machine, state["output"], node)
    _fire(machine, engine, "ITERATION_COMPLETED")


def _again(machine: Machine, data: Any, node: cst.CSTNode) -> Iterator[Any]:
    """The batches of one pass after another."""
    drawn = True
    while drawn:
        drawn = False
        for batch in items_of(machine, data, node) if data is not None else iter([None]):
            drawn = True
            yield batch


def _enter(machine: Machine, loop: cst.CSTNode) -> None:
    machine.loops.append(loop)
    machine.draws.append(0)


def _fire(machine: Machine, engine: IgniteEngine, name: str) -> None:
    """Call the handlers of an event."""
    state = engine.kept["state"].kept
    count = state["epoch" if name.startswith("EPOCH") else "iteration"]
    for each in list(engine.handlers):
        if each.moment.name == name and _counts(machine, engine, each.moment, count, each.node):
            _call(machine, engine, each)


def _counts(machine: Machine, engine: IgniteEngine, moment: Moment, count: int, node: cst.CSTNode) -> bool:
    """Whether the `count`-th occurrence of an event passes its filter."""
    from gradlint.simulate.calling import call

    if moment.event_filter is not None:
        return truth(machine, call(machine, moment.event_filter, [engine, count], {}, node))
    if moment.once is not None:
        known = moment.once if isinstance(moment.once, (list, tuple)) else [moment.once]
        return any(number(machine.number_of(each)) == count for each in known)
    after = whole(machine.number_of(moment.after), 0) if moment.after is not None else 0
    before = whole(machine.number_of(moment.before), ENDLESS) if moment.before is not None else ENDLESS
    if not after < count < before:
        return False
    every = max(whole(machine.number_of(moment.every), 1), 1) if moment.every is not None else 1
    within = moment.after is not None or moment.before is not None
    return (count - after - 1 if within else count) % every == 0


def _call(machine: Machine, engine: IgniteEngine, handler: Handler) -> None:
    """Call a handler, with the engine first if it takes one more argument than it is given."""
    from gradlint.simulate.calling import call

    function, args = handler.function, list(handler.args)
    inner = _inner(function)
    if isinstance(inner, Function):
        held = function.method is inner and not inner.is_static if isinstance(function, Bound) else isinstance(function, Instance)
        own = len(function.args) if isinstance(function, Partial) else 0
        takes = len(inner.parameters.positional) - held - own
        first = [engine] if takes > len(args) or inner.parameters.star is not None else []
        call(machine, function, [*first, *args], handler.kwargs, handler.node)
    elif isinstance(inner, Bound) and isinstance(inner.receiver, Thing):
        first = [] if isinstance(inner.receiver, Schedule) else [engine]
        call(machine, function, [*first, *args], handler.kwargs, handler.node)


FUNCTIONS = {
    **dict.fromkeys(("ignite.engine.Engine", "ignite.engine.engine.Engine"), engine),
    **{f"ignite.engine.{events}.{name}": filtered(name) for events in ("Events", "events.Events") for name in _EVENTS},
}
"""Engines, and events, which make filtered ones when they are called, by full name."""
