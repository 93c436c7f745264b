"""Runs the training code of a text in a few worlds."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.model.syntax.expressions import last_name, walk
from gradlint.simulate.aims import Aims
from gradlint.simulate.blocks import Block
from gradlint.simulate.callables import ClassValue, Frame, Function, Instance
from gradlint.simulate.calling import bind_unknown, call
from gradlint.simulate.imports import imported
from gradlint.simulate.machine import CALLERS_INDEX, STEPS, Machine, Raised, Stopped
from gradlint.simulate.roots import Definition, backwards, definitions, starts
from gradlint.simulate.statements import Compiler
from gradlint.simulate.trace import Trace, What
from gradlint.simulate.values import Num
from gradlint.simulate.views import views
from gradlint.simulate.world import Asked, World, assumed_number, last_part, spells_counter

SMALL, LARGE = 3, 5
MOST_STEPS = 40_000
"""Statements and calls that all runs of one text may execute together."""

TRIES = 3
"""Calls of a root after which no backward pass is expected of it any more."""

TURNS = 8
"""Answers at the most that are turned over to come to an update."""

FLIPS = 6
"""Worlds at the most in which one answer is another one."""

_LONGEST = 64
"""Micro-batches that a window whose size is a plain number may have to be run."""
_INDEX = re.compile(r"^(batch|micro|iter|global|train|local)?_?(num|no|nb)$")


@dataclass(frozen=True, eq=False)
class Played:
    """One run of a root in a world."""

    world: World
    trace: Trace
    asked: Asked


@dataclass(frozen=True, eq=False)
class Simulation:
    """All runs of one root: the function that was started, or None for the module. The first two differ in N alone."""

    root: cst.FunctionDef | None
    runs: tuple[Played, ...]

    @property
    def main(self) -> Played:
        """The run of the usual world, with the smaller N."""
        return self.runs[0]


class Text:
    """A parsed text, compiled once for all its worlds."""

    def __init__(self, statements: Sequence[cst.BaseStatement], words: Taught) -> None:
        self.statements = statements
        self.words = words
        self.left = MOST_STEPS
        self.found = definitions(statements)
        self.compiler = Compiler(Aims(self.found))
        self.whole: Block = self.compiler.block(_Body(list(statements)))
        self.quiet: Block = self.compiler.block(_Body([each for each in statements if not self.acts(each)]))

    def acts(self, statement: cst.CSTNode) -> bool:
        """Whether a statement of the module trains, or may: what is defined and assigned stays."""
        if isinstance(statement, (cst.For, cst.While, cst.With)):
            return True
        if isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            return False
        if isinstance(statement, cst.If) and "__main__" in _source(statement.test):
            return True
        return self.compiler.aims.of(statement).matters

    def play(self, start: Callable[[Machine, Frame], None] | None, world: World, micro_batches: int) -> Played:
        """One run: the module, or its definitions and then what `start` does."""
        steps = min(STEPS, self.left)
        machine = Machine(world, self.words, micro_batches, steps)
        machine.compiler = self.compiler
        frame = Frame(machine, {})
        stopped: Stopped | None = None
        try:
            self.compiler.run_plain(self.whole if start is None else self.quiet, frame)
            if start is not None:
                start(machine, frame)
        except Stopped as reason:
            stopped = reason
        except Raised as raised:
            stopped = Stopped(f"it raises {raised.name}")
        except RecursionError:
            stopped = Stopped("its calls are nested too deeply to follow")
        self.left -= steps - max(machine.left, 0)
        return Played(world, machine.trace(stopped), machine.asked)


@dataclass
class _Body:
    body: list[Any] = field(default_factory=list)


def _source(node: cst.CSTNode) -> str:
    return cst.Module(()).code_for_node(node)


def simulate(statements: Sequence[cst.BaseStatement], words: Taught = UNTAUGHT) -> tuple[Simulation, ...]:
    """Run a text from the module, and from every function whose backward passes were not met until then."""
    wanted = {id(each): each for each in backwards(statements)}
    if not wanted or foreign(statements):
        return ()
    text = Text(statements, words)
    found = [_explore(text, None, None)]
    _strike(found[0], wanted)
    for definition in starts(text.found, set(wanted)):
        if not wanted or text.left <= 0:
            break
        if any(id(each) in wanted for each in _reached(definition, text)):
            found.append(_explore(text, definition.node, _start(definition)))
            _strike(found[-1], wanted)
    return tuple(_telling(found))


_FOREIGN = frozenset("paddle paddlenlp mindspore oneflow jittor jax flax optax tensorflow mxnet tinygrad".split())
_OWN = ("torch", "lightning", "pytorch", "accelerate", "transformers", "deepspeed", "apex", "fastai")


def foreign(statements: Sequence[cst.BaseStatement]) -> bool:
    """Whether a text trains with another framework, whose loops look like PyTorch's."""
    nodes = (each for statement in statements for each in walk(statement) if isinstance(each, (cst.Import, cst.ImportFrom)))
    packages = {path.partition(".")[0] for node in nodes for _, path in imported(node)}
    return bool(packages & _FOREIGN) and not any(name.startswith(_OWN) for name in packages)


def _met(simulation: Simulation) -> set[int]:
    """The backward passes that the runs of a root come to."""
    return {id(event.node) for run in simulation.runs for event in run.trace.events if event.what is What.BACKWARD}


def _updates(simulation: Simulation) -> bool:
    """Whether the runs of a root come to an update of weights."""
    return bool(simulation.main.trace.of(What.STEP))


def _strike(simulation: Simulation, wanted: dict[int, cst.Call]) -> None:
    """Take off the list what was met on the way to an update; where none came, another root may tell more."""
    for key in _met(simulation) if _updates(simulation) else ():
        wanted.pop(key, None)


def _telling(found: Sequence[Simulation]) -> list[Simulation]:
    """The simulations that say something: of those that come to no update, the ones with backward passes that no other has."""
    told = {key for each in found if _updates(each) for key in _met(each)}
    telling = []
    for each in found:
        met = _met(each)
        if met and (_updates(each) or met - told):
            telling.append(each)
            told |= met
    return telling


def _reached(definition: Definition, text: Text) -> list[cst.Call]:
    """The calls in a function and in those that it may call."""
    seen, calls = {definition.name}, list(definition.calls)
    by_name: dict[str, list[Definition]] = {}
    for each in text.found:
        by_name.setdefault(each.name, []).append(each)
    for call_node in calls:
        name = last_name(call_node.func) or ""
        if name in by_name and name not in seen:
            seen.add(name)
            calls.extend(inner for other in by_name[name] for inner in other.calls)
    return calls


# Worlds


def _explore(text: Text, root: cst.FunctionDef | None, start: Callable[[Machine, Frame], None] | None) -> Simulation:
    """The usual world with two values of N, and worlds in which one answer is another one."""

    def play(world: World) -> Played:
        return text.play(start, world, 2 * world.length + 2)

    world = World(SMALL, 2 * SMALL + 2)
    first = _turned(play(world), play)
    if not first.trace.of(What.BACKWARD):
        return Simulation(root, (first,))
    first = _fitted(first, play)
    world = first.world
    runs = [first, play(replace(world, n=LARGE, length=2 * LARGE + 2 if world.length == 2 * SMALL + 2 else world.length))]
    asked = first.asked
    flips: list[World] = [
        replace(world, answers=(*world.answers, (key, not asked.questions[key]))) for key in sorted(asked.deciding)
    ]
    for name, values in sorted(asked.compared.items()):
        flips += [replace(world, strings=((name, value),)) for value in values[1:4]]
    runs += [play(each) for each in flips[:FLIPS] if text.left > 0]
    return Simulation(root, tuple(runs))


def _turned(first: Played, play: Callable[[World], Played]) -> Played:
    """The run that comes to an update; answers that keep it from that are turned over one at a time, the latest first."""
    if not first.trace.of(What.BACKWARD) or first.trace.of(What.STEP):
        return first
    asked = first.asked
    for key in [each for each in reversed(asked.questions) if each in asked.deciding][:TURNS]:
        again = play(replace(first.world, answers=((key, not asked.questions[key]),)))
        if again.trace.of(What.STEP):
            return again
    return first


def _fitted(first: Played, play: Callable[[World], Played]) -> Played:
    """The run in a world that has room for the windows of the text: their N, and passes that are long enough."""
    first = _told_apart(first, play)
    world = first.world
    others = {name for name in first.asked.gates if _may_be_steps(name)} - first.trace.n_names
    if others and not _whole(first.trace):
        for names in (frozenset(others), *(frozenset((name,)) for name in sorted(others)[:4] if len(others) > 1)):
            again = play(replace(world, n_names=names))
            if _whole(again.trace):
                return again
    if _whole(first.trace):
        return first
    for key in [each for each in sorted(first.asked.deciding) if "accum" in each.lower()][:TURNS]:
        again = play(replace(world, answers=((key, not first.asked.questions[key]),)))
        if _whole(again.trace):
            return again
    for size in sorted(each for each in first.asked.moduli | set(_sizes(first.trace)) if 1 < each <= _LONGEST)[:4]:
        length = 2 * size + 2
        again = play(replace(world, length=length))
        if _sizes(again.trace).get(size, 0) > 1:
            return again
    return first


def _told_apart(first: Played, play: Callable[[World], Played]) -> Played:
    """Of several settings whose names spell accumulation steps, those are N that an update waits for, or whose last name is theirs."""
    spelled = first.trace.n_names
    waiting = {last_part(each) for each in spelled & first.asked.gates}
    others = frozenset(each for each in spelled if last_part(each) not in waiting)
    if not waiting or not others:
        return first
    again = play(replace(first.world, not_n=others))
    return again if _whole(again.trace) or not _whole(first.trace) else first


def _may_be_steps(name: str) -> bool:
    return (
        not name.startswith(("len(", "accelerator.sync")) and "epoch" not in name.lower() and assumed_number(name, None) is None
    )


def _whole(trace: Trace) -> bool:
    """Whether whole updates are made of just N micro-batches."""
    return trace.n in _sizes(trace)


def _sizes(trace: Trace) -> dict[int, int]:
    """Of how many micro-batches the whole updates of each optimizer are made, and how often."""
    return {view.size: view.sizes.count(view.size) for view in views(trace)}


# Functions as roots


def _start(definition: Definition) -> Callable[[Machine, Frame], None]:
    """Calls a function again and again, as what is out of sight would, until its windows were seen."""

    def run(machine: Machine, frame: Frame) -> None:
        function, instance = _bound(definition, machine, frame)
        if function is None:
            return
        machine.loops.append(definition.node)
        machine.draws.append(0)
        for count in range(2 * machine.world.length):
            machine.begin(None)
            machine.turn = count
            before = len(machine.trained)
            inner = Frame(machine, {}, function.frame, function, {}, function.owner)
            names = function.parameters.positional
            if instance is not None and names:
                inner.names[names[0]] = instance
            for name in names:
                if spells_counter(name) or _INDEX.match(name):
                    inner.names[name] = Num(count, frozenset((CALLERS_INDEX,)))
            bind_unknown(machine, function, inner)
            call(machine, _ready(function, inner.names), [], {}, definition.node)
            if len(machine.trained) - before > machine.world.n:
                break
            if count == TRIES and not machine.trained:
                break

    return run


def _bound(definition: Definition, machine: Machine, frame: Frame) -> tuple[Function | None, Instance | None]:
    """The function, and for a method an object of its class, whose constructor runs with what its names and defaults say."""
    if definition.outer is not None:
        return None, None
    if definition.owner is None:
        value = frame.names.get(definition.name)
        return (value, None) if isinstance(value, Function) else (None, None)
    cls = frame.names.get(definition.owner.name.value)
    if not isinstance(cls, ClassValue):
        return None, None
    instance = Instance(cls, identity="self")
    found, init = cls.lookup("__init__")
    if found and isinstance(init, Function):
        inner = Frame(machine, {init.parameters.positional[0]: instance} if init.parameters.positional else {}, init.frame)
        bind_unknown(machine, init, inner)
        with contextlib.suppress(Raised):
            call(machine, _ready(init, inner.names), [], {}, init.node)
    value = cls.names.get(definition.name)
    return (value, None if value.is_static else instance) if isinstance(value, Function) else (None, None)


def _ready(function: Function, names: dict[str, Any]) -> Function:
    """A function whose parameters have their values already."""
    made = Function(
        function.name,
        function.node,
        function.parameters,
        function.body,
        function.frame,
        function.generator,
        function.owner,
        qualname=function.qualname,
    )
    made.given = dict(names)
    return made
