"""Runs the training code of a text in a few worlds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import UNTAUGHT, Role, Taught, role_of_spelling, spells_zeroing
from gradlint.model.syntax.expressions import last_name, walk
from gradlint.simulate import counts, limits
from gradlint.simulate.aims import Aims
from gradlint.simulate.blocks import Block
from gradlint.simulate.callables import Frame
from gradlint.simulate.detours import detours
from gradlint.simulate.drifting import drifts
from gradlint.simulate.fitting import ARMS, FLIPS, LARGE, POWERS, SMALL, Played, exact, fitted, room, sizes, turned
from gradlint.simulate.hooks import COMM_HOOK
from gradlint.simulate.imports import imported
from gradlint.simulate.judge import judge
from gradlint.simulate.machine import STEPS, Machine, Raised, Stopped
from gradlint.simulate.reductions import averages_weights
from gradlint.simulate.roots import Definition, backwards, definitions, starts
from gradlint.simulate.starting import start_of
from gradlint.simulate.statements import Compiler
from gradlint.simulate.trace import COUNTS, UPDATES, Trace, What
from gradlint.simulate.views import views
from gradlint.simulate.world import Asked, World

__all__ = ["Played", "Simulation", "Text", "foreign", "simulate"]

NONE_OF_THEM = "(none of them)"
"""A string that no text compares a setting with."""

RAISES = "it raises "
"""How the reason begins why a run ended that an exception of the text ended."""

MOST_STEPS = 40_000
"""Statements and calls that all runs of one text may execute together."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """All runs of one root: the function that was started, or None for the module. The first two differ in N alone.

    In each of the `detours`, one branch takes once the arm that is not the usual one, to the harm of a window; in each of the
    `drifts`, N grows on the way, to the same.
    """

    root: cst.FunctionDef | None
    runs: tuple[Played, ...]
    play: Callable[[World], Played] | None = None
    """Runs it in one world more."""
    detours: tuple[Played, ...] = ()
    drifts: tuple[Played, ...] = ()
    hurried: Played | None = None
    """A run like the first, in which all that waits for a count of updates, and is asked about at each micro-batch, happens."""
    limited: tuple[tuple[Played, Played], ...] = ()
    """Runs that end where two different counts meet, each with one of a larger N."""

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
        nodes = [each for statement in statements for each in walk(statement)]
        self.incremented = _incremented(nodes)
        self.asides = _asides(nodes)
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

    def play(self, start: Callable[[Machine, Frame], None] | None, world: World, micro_batches: int, most: int = STEPS) -> Played:
        """One run: the module, or its definitions and then what `start` does."""
        steps = min(most, self.left)
        machine = Machine(world, self.words, micro_batches, steps)
        machine.compiler = self.compiler
        machine.incremented = self.incremented
        frame = Frame(machine, {})
        stopped: Stopped | None = None
        try:
            self.compiler.run_plain(self.whole if start is None else self.quiet, frame)
            if start is not None:
                start(machine, frame)
        except Stopped as reason:
            stopped = reason
        except Raised as raised:
            stopped = Stopped(f"{RAISES}{raised.name}")
        except RecursionError:
            stopped = Stopped("its calls are nested too deeply to follow")
        self.left -= steps - max(machine.left, 0)
        trace = machine.trace(stopped)
        return Played(world, replace(trace, unreached=self._unreached(trace)), machine.asked)

    def _unreached(self, trace: Trace) -> frozenset[str]:
        """The names of the calls of `asides` that a run did not come to."""
        met = {id(each) for event in trace.events for each in (event.node, *event.stack)} | {id(node) for node in trace.hooked}
        return frozenset(last_name(call.func) or "" for call in self.asides if id(call) not in met)


def _incremented(nodes: Sequence[cst.CSTNode]) -> frozenset[str]:
    """The last names of what a text adds something to."""
    added = (each.target for each in nodes if type(each) is cst.AugAssign and isinstance(each.operator, cst.AddAssign))
    return frozenset(last_name(target) or "" for target in added)


def _asides(nodes: Sequence[cst.CSTNode]) -> list[cst.Call]:
    """The calls that matter to a loop wherever they stand: they clear gradients, set a factor, count micro-batches, communicate."""
    return [each for each in nodes if type(each) is cst.Call and (_is_aside(each) or averages_weights(each))]


def _spells_scaler(call: cst.Call) -> bool:
    """Whether a method is called of what is called like a scaler."""
    owner = last_name(call.func.value) if isinstance(call.func, cst.Attribute) else None
    return owner is not None and role_of_spelling(owner) is Role.SCALER


def _is_aside(call: cst.Call) -> bool:
    name = last_name(call.func) or ""
    return spells_zeroing(name) or name in (COMM_HOOK, COUNTS) or (name == UPDATES and _spells_scaler(call))


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
            called = any(last_name(each.func) == definition.name for other in text.found for each in other.calls)
            found.append(_explore(text, definition.node, start_of(definition, called=called)))
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


def _is_plain(trace: Trace) -> bool:
    """Whether each micro-batch has an update of its own, nothing counts them, and nothing is wrong: no other world tells more."""
    if trace.ended or trace.n_names or trace.literals or any(view.size > 1 or view.doubt for view in views(trace)):
        return False
    return bool(trace.of(What.STEP)) and not judge(trace, None)


def _refused(trace: Trace) -> bool:
    """Whether the program ends with an exception before it trains: it does not take such settings."""
    return trace.ended.startswith(RAISES) and not trace.of(What.STEP)


def _explore(text: Text, root: cst.FunctionDef | None, start: Callable[[Machine, Frame], None] | None) -> Simulation:
    """The usual world with two values of N, and worlds in which one answer is another one."""

    def play(world: World) -> Played:
        return text.play(start, world, 2 * world.length + 2)

    world = World(SMALL, room(SMALL))
    first = turned(play(world), play)
    if not first.trace.of(What.BACKWARD):
        return Simulation(root, (first,), play)
    first = fitted(first, play)
    world = first.world
    asked = first.asked
    if _is_plain(first.trace):
        arms = (play(each) for each in _flipped(world, replace(asked, deciding=asked.deciding & asked.looped))[:ARMS])
        if all(_is_plain(each.trace) or not each.trace.of(What.STEP) for each in arms):
            return Simulation(root, (first,), play)
    larger = POWERS[1] if asked.masked else LARGE
    # Where windows are of a size of their own, a pass has one more of them, so that lengths are told apart.
    longer = room(larger) if world.length == room(world.n) else world.length + max(sizes(first.trace), default=0)
    runs = [first, play(replace(world, n=larger, length=longer))]
    runs[0] = exact(first, runs[1], play)
    world = runs[0].world
    flips = _flipped(world, asked)
    for name, values in sorted(asked.compared.items()):
        flips += [replace(world, strings=((name, value),)) for value in (*values[1:3], NONE_OF_THEM)]
    others = (play(each) for each in flips[:FLIPS] if text.left > 0)
    runs += [each for each in others if not _refused(each.trace)]
    due = frozenset(counts.asked_inside(runs[0].trace))
    hurried = play(replace(runs[0].world, due=due)) if due and text.left > 0 else None
    limited = tuple(limits.paired(runs, play))
    return Simulation(root, tuple(runs), play, tuple(detours(runs, play)), tuple(drifts(runs, play)), hurried, limited)


def _flipped(world: World, asked: Asked) -> list[World]:
    """The worlds in which one more answer that decides about training is another one; what is asked in a loop comes first."""
    keys = sorted(asked.deciding, key=lambda key: (key not in asked.looped, key))
    return [replace(world, answers=(*world.answers, (key, not asked.questions[key]))) for key in keys]
