"""Runs the training code of a text in a few worlds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.model.syntax.expressions import last_name, walk_all
from gradlint.simulate.engines.lightning import automatic, steps_of, trainer_among
from gradlint.simulate.explored import Simulation, explore
from gradlint.simulate.fitting import LARGE, SMALL, Played
from gradlint.simulate.going_on import GoOn, to_the_end
from gradlint.simulate.imports import imported
from gradlint.simulate.roots import Definition, backwards_among, definitions, is_backward, reached, starts, updates
from gradlint.simulate.starting import Start, start_of
from gradlint.simulate.surroundings import ALONE, Surroundings
from gradlint.simulate.text_runs import RAISES, Text
from gradlint.simulate.trace import What
from gradlint.simulate.world import World

__all__ = ["RAISES", "Played", "Simulation", "foreign", "met_in", "simulate"]


def simulate(
    statements: Sequence[cst.BaseStatement],
    words: Taught = UNTAUGHT,
    around: Surroundings = ALONE,
    callers: Sequence[Surroundings] = (),
    unasked: frozenset[str] = frozenset(),
    go_on: GoOn = to_the_end,
) -> tuple[Simulation, ...]:
    """Run a text from the module, then from every function whose backward passes were not reached so far.

    `around` holds what the text imports from its repository. `callers` are other modules there that lead to the text; each is
    run before the functions of the text are run on their own. Faults in `unasked` that would need extra runs are not looked for.
    `go_on` is called before each run, and may end them all by raising an exception.
    """
    nodes = walk_all(statements)
    wanted = {id(each): each for each in backwards_among(nodes) or _leading(nodes, around)}
    trainer = trainer_among(nodes)
    if not (wanted or trainer or callers) or foreign(nodes):
        return ()
    text = Text(statements, nodes, words, around, unasked, go_on)
    if not (wanted or trainer):
        return tuple(_taken_part(text, nodes, callers))
    found = [explore(text, None, None)] if wanted else []
    if trainer is not None:
        found += [each for definition in steps_of(text.found) for each in _of_trainer(text, definition, trainer)]
    if not wanted:
        return tuple(found)
    _strike(found[0], wanted)
    if wanted:
        led = [each for caller in callers if (each := _called(caller, nodes, set(wanted), text)) is not None]
        found += led
        for each in led:
            _strike(each, wanted)
    found += _past(text, found[0], None, wanted)
    for definition in _own_starts(text, set(wanted)):
        if not wanted or text.left <= 0:
            break
        if any(id(each) in wanted for each in _reached(definition, text)):
            called = any(last_name(each.func) == definition.name for other in text.every for each in other.calls)
            start = start_of(definition, called=called)
            found.append(explore(text, definition.node, start))
            _strike(found[-1], wanted)
            found += _past(text, found[-1], start, wanted)
    found += _further(text, found)
    telling = _telling(found)
    if wanted.keys() - {key for each in telling for key in each.met}:
        telling += [each for each in found if each.given_up and not each.met][:1]
    return tuple(telling)


def _past(text: Text, first: Simulation, start: Start | None, wanted: dict[int, cst.Call]) -> list[Simulation]:
    """The runs of a root that skip a loop and so lead to others that the first runs did not reach."""
    found = []
    for key, answer in first.main.asked.passed_by.items():
        if wanted and text.left > 0:
            further = explore(text, first.root, start, (key, not answer))
            if further.met & wanted.keys():
                found.append(further)
                _strike(further, wanted)
    return found + _elsewhere(text, first, start)


def _elsewhere(text: Text, first: Simulation, start: Start | None) -> list[Simulation]:
    """The runs of a root whose settings lead to other loops than the usual ones. One world alone would not tell what N does there."""
    found = []
    known = _trained_in(first.main)
    for run in first.runs:
        further = _trained_in(run)
        if not further <= known and text.left > 0:
            known |= further
            found.append(explore(text, first.root, start, *run.world.answers))
    return [each for each in found if _updates(each)]


def _trained_in(run: Played) -> set[int]:
    """The innermost loops of a run's backward passes."""
    return {id(event.loops[-1]) for event in run.trace.of(What.BACKWARD) if event.loops}


def _leading(nodes: Sequence[cst.CSTNode], around: Surroundings) -> list[cst.Call]:
    """The calls of a text that may lead to a backward pass in a module around it, or those passes if no name leads there."""
    others = [each for path, own in around.modules.items() if path != around.here for each in own.statements]
    passes = backwards_among(walk_all(others))
    names = {each.called for each in starts(definitions(others), set(map(id, passes)))} if passes else set()
    return [each for each in nodes if type(each) is cst.Call and last_name(each.func) in names] or passes


def _taken_part(text: Text, nodes: Sequence[cst.CSTNode], callers: Sequence[Surroundings]) -> Iterator[Simulation]:
    """The runs of the modules that lead to a text without a backward pass, if its code takes part in an update."""
    own = {id(each) for each in nodes if type(each) is cst.Call and updates(last_name(each.func) or "")}
    for caller in callers:
        led = _called(caller, nodes, own, text, lambda found: met_in((found,)))
        if led is not None:
            yield led


def _further(text: Text, found: Sequence[Simulation]) -> Iterator[Simulation]:
    """The runs of the functions that no run came through to a backward pass, because another one led to the same passes."""
    met = {key for each in found for key in each.met}
    passes = {id(call) for each in text.every for call in each.calls if is_backward(call)}
    leading = starts(text.every, passes)
    names = {each.called for each in leading}
    own = {id(each) for each in text.found}
    for definition in leading if passes else ():
        calls = {id(call) for call in definition.calls if id(call) in passes or last_name(call.func) in names}
        if id(definition) in own and met.isdisjoint(calls) and text.left > 0:
            further = explore(text, definition.node, start_of(definition))
            met |= further.met
            yield further


def _own_starts(text: Text, wanted: set[int]) -> list[Definition]:
    """The functions of the text that may lead to a wanted call, through any module."""
    own = {id(each) for each in text.found}
    return [each for each in starts(text.every, wanted) if id(each) in own]


def _called(
    caller: Surroundings,
    nodes: Sequence[cst.CSTNode],
    wanted: set[int],
    target: Text,
    met: Callable[[Simulation], Collection[int]] = lambda found: found.met,
) -> Simulation | None:
    """The runs of a module that imports the `target`, whose nodes are `nodes`; None if they do not reach a wanted call.

    `met` are the calls that some runs reach.
    """
    own = caller.modules[caller.here]
    text = Text(own.statements, [*walk_all(own.statements), *nodes], target.words, caller, target.unasked)
    found = explore(text, None, None)
    if not (_updates(found) and not wanted.isdisjoint(met(found))):
        for definition in _own_starts(text, wanted)[:_ROOTS_OF_A_CALLER]:
            found = explore(text, definition.node, start_of(definition))
            if _updates(found) and not wanted.isdisjoint(met(found)):
                break
        else:
            return None
    return replace(found, caller=own.name)


_ROOTS_OF_A_CALLER = 2
"""How many functions of a caller are run when the module itself does not lead to the text."""


def _of_trainer(text: Text, definition: Definition, trainer: cst.Call) -> Iterator[Simulation]:
    """What a Trainer does with a method that returns a loss, for two values of N."""
    start = automatic(definition, trainer)

    def play(world: World) -> Played:
        return text.play(start, world, world.length)

    first = play(World(SMALL))
    if first.trace.of(What.BACKWARD):
        yield Simulation(definition.node, (first, play(World(LARGE))), play)


_FOREIGN = frozenset("paddle paddlenlp mindspore oneflow jittor jax flax optax tensorflow mxnet tinygrad".split())
_OWN = ("torch", "lightning", "pytorch", "accelerate", "transformers", "deepspeed", "apex", "fastai")


def foreign(nodes: Iterable[cst.CSTNode]) -> bool:
    """Whether a text, given as all its nodes, trains with another framework whose loops look like PyTorch's."""
    imports = (each for each in nodes if type(each) is cst.Import or type(each) is cst.ImportFrom)
    packages = {path.partition(".")[0] for node in imports for _, path in imported(node)}
    return bool(packages & _FOREIGN) and not any(name.startswith(_OWN) for name in packages)


def met_in(simulations: Iterable[Simulation]) -> set[int]:
    """The ids of the nodes of all events in some runs, and of the calls that lead to them."""
    events = [event for each in simulations for run in each.runs for event in run.trace.events]
    return {id(event.node) for event in events} | {id(call) for event in events for call in event.stack}


def _updates(simulation: Simulation) -> bool:
    """Whether the runs of a root reach a weight update."""
    return bool(simulation.main.trace.of(What.STEP))


def _strike(simulation: Simulation, wanted: dict[int, cst.Call]) -> None:
    """Remove what was met from the wanted calls if there was an update. If not, another root may show more."""
    for key in simulation.met if _updates(simulation) else ():
        wanted.pop(key, None)


def _telling(found: Sequence[Simulation]) -> list[Simulation]:
    """The simulations that add something. One without an update counts only if it has backward passes that no other has."""
    told = {key for each in found if _updates(each) for key in each.met}
    telling = []
    for each in found:
        met = each.met
        if met and (_updates(each) or met - told):
            telling.append(each)
            told |= met
    return telling


def _reached(definition: Definition, text: Text) -> list[cst.Call]:
    """The calls in a function and in those that it may call."""
    seen, calls = {definition.name}, list(definition.calls)
    by_name: dict[str, list[Definition]] = {}
    for each in text.every:
        by_name.setdefault(each.name, []).append(each)
    waiting = sorted(reached(definition))
    for name in waiting:
        if name in by_name and name not in seen:
            seen.add(name)
            calls.extend(inner for other in by_name[name] for inner in other.calls)
            waiting.extend(inner for other in by_name[name] for inner in sorted(reached(other)))
    return calls
