"""Runs one root of a text in the worlds that tell something about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from gradlint.simulate import counts, limits, shrunk
from gradlint.simulate.callables import Frame
from gradlint.simulate.detours import detours
from gradlint.simulate.drifting import drifts
from gradlint.simulate.every_arm import of_every_arm
from gradlint.simulate.fitting import ARMS, FLIPS, LARGE, POWERS, SMALL, Played, exact, fitted, room, sizes, turned
from gradlint.simulate.flushing import flushes
from gradlint.simulate.judge import judge
from gradlint.simulate.machine import Machine
from gradlint.simulate.stalling import stalls
from gradlint.simulate.stops import TOO_LONG
from gradlint.simulate.switched_on import paired
from gradlint.simulate.text_runs import RAISES, Text
from gradlint.simulate.thrown_away import Steps, throwing_away
from gradlint.simulate.trace import Trace, What
from gradlint.simulate.views import views
from gradlint.simulate.world import Asked, World

if TYPE_CHECKING:
    from gradlint.simulate.faults import Fault

NONE_OF_THEM = "(none of them)"
"""A string that no text compares a setting with."""

WITHIN = 3
"""Worlds at the most in which an answer is another one that is asked for only where others are."""

PROCESSES = 2
"""How many processes train, where a text wraps its model for several and the usual world has one."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """All runs of one root: the function that was started, or None for the module. The first two differ in N alone.

    In each of the `detours`, one branch takes once the arm that is not the usual one, to the harm of a window; in each of the
    `drifts`, N grows on the way, to the same; in each of the `stalls`, such a branch leaves out an update of the scaler.
    """

    root: cst.FunctionDef | None
    runs: tuple[Played, ...]
    play: Callable[[World], Played] | None = None
    """Runs it in one world more."""
    detours: tuple[Played, ...] = ()
    drifts: tuple[Played, ...] = ()
    stalls: tuple[Played, ...] = ()
    hurried: Played | None = None
    """A run like the first, in which all that waits for a count of updates, and is asked about at each micro-batch, happens."""
    limited: tuple[tuple[Played, Played], ...] = ()
    """Runs that end where two different counts meet, each with one of a larger N."""
    flushes: tuple[Played, ...] = ()
    """Runs with passes of other lengths, where a step behind the loop closes what they leave."""
    spoken: tuple[Played, ...] = ()
    """Two runs, with N and with a larger one, in which is shown what is shown every so often, where the usual run does not get to it."""
    arms: tuple[tuple[Played, ...], ...] = ()
    """Runs that take the arms of a branch that the data decide, together all of them, for each where all have a fault in common."""
    switched_on: tuple[tuple[Played, Played], ...] = ()
    """Runs that come to steps or schedules which the usual run does not come to, each with one of a larger N."""
    thrown: Steps = frozenset()
    """The steps that do not reach what a pass leaves over, while N grows: it is cleared."""
    caller: str = ""
    """The module that was run to come to the text, where it was not the text itself."""

    @property
    def main(self) -> Played:
        """The run of the usual world, with the smaller N."""
        return self.runs[0]

    @property
    def given_up(self) -> bool:
        """Whether the steps did not suffice for one of its runs, so that what no run comes to may still be trained."""
        return any(run.trace.ended == TOO_LONG for run in self.runs)

    @cached_property
    def met(self) -> frozenset[int]:
        """The backward passes that the runs come to, and the calls that lead to them."""
        events = (event for run in self.runs for event in run.trace.of(What.BACKWARD))
        return frozenset([id(node) for event in events for node in (event.node, *event.stack)])

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """What the runs show to be wrong; judged once, however many fixes are compared with them."""
        from gradlint.simulate.agreement import faults

        return tuple(faults(self))


def _is_plain(trace: Trace) -> bool:
    """Whether each micro-batch has an update of its own, nothing counts them, and nothing is wrong: no other world tells more."""
    if trace.ended or trace.n_names or trace.literals or any(view.size > 1 or view.doubt for view in views(trace)):
        return False
    return bool(trace.of(What.STEP)) and not judge(trace, None)


def _waits_for_its_question(run: Played) -> bool:
    """Whether updates wait for the number whose truth was turned over: `if n: ... % n`, where n is None by default."""
    key, answer = run.world.answers[-1]
    return answer and key in run.asked.gates and key in run.asked.numbers


def _refused(trace: Trace) -> bool:
    """Whether the program ends with an exception before it trains: it does not take such settings."""
    return trace.ended.startswith(RAISES) and not trace.of(What.STEP)


def explore(
    text: Text, root: cst.FunctionDef | None, start: Callable[[Machine, Frame], None] | None, *answers: tuple[str, bool]
) -> Simulation:
    """The usual world with two values of N, and worlds in which one answer is another one; some `answers` all of them give."""

    def play(world: World) -> Played:
        return text.play(start, world, 2 * world.length + 2)

    world = World(SMALL, room(SMALL), answers=answers)
    first = turned(play(world), play)
    if not first.trace.of(What.BACKWARD):
        return Simulation(root, (first,), play)
    first = fitted(first, play)
    world = first.world
    asked = first.asked
    if _is_plain(first.trace):
        arms = [play(each) for each in _flipped(world, replace(asked, deciding=asked.deciding & asked.looped))[:ARMS]]
        counting = next((each for each in arms if _waits_for_its_question(each)), None)
        if counting is not None:
            first = fitted(counting, play)
            world, asked = first.world, first.asked
        elif all(_is_plain(each.trace) or not each.trace.of(What.STEP) for each in arms):
            return Simulation(root, (first,), play, stalls=tuple(stalls(first, play)))
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
    turned_over = [each for each in others if not _refused(each.trace)]
    runs += turned_over
    runs += [each for each in _arms_within(turned_over, asked, text, play) if not _refused(each.trace)]
    due = frozenset(counts.asked_inside(runs[0].trace))
    if text.wrapper is not None and not any(_averages(run.trace) for run in runs):
        runs += _of_processes(runs[0].world, text, play)
    hurried = play(replace(runs[0].world, due=due)) if due and text.left > 0 else None
    limited = tuple(limits.paired(runs, play))
    others_of_data = tuple(detours(runs, play)), tuple(drifts(runs, play)), tuple(stalls(runs[0], play))
    behind = tuple(flushes(runs, play)) if text.left > 0 else ()
    spoken = tuple(shrunk.spoken(runs, play)) if text.left > 0 and shrunk.CODE not in text.unasked else ()
    in_arms = tuple(of_every_arm(runs, play))
    switched_on = tuple(paired(runs, play)) if text.left > 0 else ()
    thrown = throwing_away(runs, play) if text.left > 0 else frozenset()
    return Simulation(root, tuple(runs), play, *others_of_data, hurried, limited, behind, spoken, in_arms, switched_on, thrown)


def _arms_within(found: Sequence[Played], usual: Asked, text: Text, play: Callable[[World], Played]) -> Iterator[Played]:
    """Runs of the arms that only another arm leads to which the usual world does not take: `if native: ... elif apex: ... else: ...`."""
    known = usual.deciding | {key for run in found for key, _ in run.world.answers}
    waiting = list(found)
    left = WITHIN
    for run in waiting:
        new = replace(run.asked, deciding=(run.asked.deciding & (run.asked.looped or run.asked.deciding)) - known)
        known |= new.deciding
        for world in _flipped(run.world, new)[:left]:
            if text.left > 0:
                left -= 1
                waiting.append(play(world))
                yield waiting[-1]


def _of_processes(world: World, text: Text, play: Callable[[World], Played]) -> Iterator[Played]:
    """A run in which several processes train; where it does not come to what wraps the model, that is done by a caller."""
    for each in (replace(world, processes=PROCESSES), replace(world, processes=PROCESSES, wrapper=text.wrapper)):
        if text.left > 0:
            played = play(each)
            if _averages(played.trace):
                yield played
                return
            if played.asked.wraps:
                return  # it wraps others than the model that is trained


def _averages(trace: Trace) -> bool:
    """Whether gradients are averaged over processes."""
    return any(event.parallel for event in trace.of(What.BACKWARD))


def _flipped(world: World, asked: Asked) -> list[World]:
    """The worlds in which one more answer that decides about training is another one; what has a backward pass in its other arm
    comes first, then what is asked in a loop."""
    keys = sorted(asked.deciding, key=lambda key: (key not in asked.leading, key not in asked.looped, key))
    return [replace(world, answers=(*world.answers, (key, not asked.questions[key]))) for key in keys]
