"""Runs one root of a text in every world that can show something new about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from gradlint.model.syntax.expressions import walk
from gradlint.simulate import counts, limits, shrunk
from gradlint.simulate.callables import Frame
from gradlint.simulate.detours import detours
from gradlint.simulate.drifting import drifts
from gradlint.simulate.every_arm import of_every_arm
from gradlint.simulate.fitting import ARMS, FLIPS, LARGE, POWERS, SMALL, Played, exact, fitted, room, sizes, turned
from gradlint.simulate.flushing import flushes
from gradlint.simulate.judge import judge
from gradlint.simulate.machine import STEPS, Machine
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
"""How many worlds may flip an answer that only comes up after another answer was flipped."""

CROSSED = 3
"""How many worlds may replace the number of a setting that is compared with another number."""

PROCESSES = 2
"""How many processes train if a text wraps its model for several and the usual world has one."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """All runs of one root: the function that was started, or None for the module. The first two runs differ only in N.

    In each of the `detours`, one branch takes its unusual arm once, and that spoils a window. In each of the `drifts`, N grows
    during the run, and that spoils a window. In each of the `stalls`, a branch that the data decide skips the scaler's update.
    """

    root: cst.FunctionDef | None
    runs: tuple[Played, ...]
    play: Callable[[World], Played] | None = None
    """Runs the root in another world. A few whole runs are possible even if the text has used up its budget."""
    detours: tuple[Played, ...] = ()
    drifts: tuple[Played, ...] = ()
    stalls: tuple[Played, ...] = ()
    hurried: Played | None = None
    """Like the first run, but every action that waits for a count of updates, and checks it on each micro-batch, happens."""
    limited: tuple[tuple[Played, Played], ...] = ()
    """Runs in which a loop ends by comparing two different counts, each with a run of a larger N."""
    flushes: tuple[Played, ...] = ()
    """Runs with passes of other lengths, where a step after the loop closes the last window."""
    spoken: tuple[Played, ...] = ()
    """Two runs, with N and with a larger N, that reach the periodic log output where the usual run does not get to it."""
    arms: tuple[tuple[Played, ...], ...] = ()
    """Groups of runs that take every arm of a branch that the data decide, if all arms have a fault in common."""
    switched_on: tuple[tuple[Played, Played], ...] = ()
    """Runs that reach steps or schedules which the usual run does not reach, each with a run of a larger N."""
    thrown: Steps = frozenset()
    """The steps that lose what a pass leaves over while N grows, because it is cleared first."""
    cut_short: bool = False
    """Whether the budget of the text left out worlds."""
    caller: str = ""
    """The module that was run to reach the text, unless the text was run directly."""

    @property
    def main(self) -> Played:
        """The run of the usual world, with the smaller N."""
        return self.runs[0]

    @property
    def given_up(self) -> bool:
        """Whether the budget of steps ended a run or left one out, so that code which no run reached may still train."""
        return self.cut_short or any(run.trace.ended == TOO_LONG for run in self.runs)

    @cached_property
    def met(self) -> frozenset[int]:
        """The backward passes that the runs reach, and the calls that lead to them."""
        events = (event for run in self.runs for event in run.trace.of(What.BACKWARD))
        return frozenset([id(node) for event in events for node in (event.node, *event.stack)])

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that the runs show. They are judged once, however many fixes are compared with them."""
        from gradlint.simulate.agreement import faults

        return tuple(faults(self))


def _is_plain(trace: Trace) -> bool:
    """Whether the optimizer steps on every micro-batch, nothing counts them, and nothing is wrong: other worlds add nothing."""
    if trace.ended or trace.n_names or trace.literals or any(view.size > 1 or view.doubt for view in views(trace)):
        return False
    return bool(trace.of(What.STEP)) and not judge(trace, None)


def _agreeing(first: Played, play: Callable[[World], Played]) -> Played:
    """A run that gives the same answer everywhere to the questions on its way to the loop."""
    if not first.asked.refuted:
        return first
    again = play(replace(first.world, answers=(*first.world.answers, *first.asked.refuted.items())))
    return again if again.trace.of(What.BACKWARD) or not first.trace.of(What.BACKWARD) else first


def _waits_for_its_question(run: Played) -> bool:
    """Whether updates depend on the number whose truth was flipped: `if n: ... % n`, where n is None by default."""
    key, answer = run.world.answers[-1]
    return answer and key in run.asked.gates and key in run.asked.numbers


def _tells(run: Played, text: Text) -> bool:
    """Whether a run of an unusual world shows anything.

    It does not if the program raises before it trains, since it refuses these settings, nor if the budget of the text ended it.
    """
    refused = run.trace.ended.startswith(RAISES) and not run.trace.of(What.STEP)
    return not (refused or (run.trace.ended == TOO_LONG and text.left <= 0))


def explore(
    text: Text, root: cst.FunctionDef | None, start: Callable[[Machine, Frame], None] | None, *answers: tuple[str, bool]
) -> Simulation:
    """Run the usual world with two values of N, then worlds that flip one answer each. All of them share the given `answers`."""
    known: dict[World, tuple[Played, int]] = {}

    def play(world: World) -> Played:
        """Run a world, or return its earlier run and charge it again: a budget leads to the same worlds either way."""
        played, cost = known.get(world, (None, 0))
        if played is not None and cost <= text.left:
            text.left -= cost
            return played
        left = text.left
        played = text.play(start, world, world.enough * (world.length + 1))
        cost = left - text.left
        if played.trace.ended != TOO_LONG or cost >= STEPS:  # not cut by what other runs have cost
            known[world] = played, cost
        return played

    def again(world: World) -> Played:
        text.allow_one()
        return play(world)

    text.dearest = 0
    world = World(SMALL, room(SMALL), answers=answers)
    first = turned(_agreeing(play(world), play), play)
    if not first.trace.of(What.BACKWARD):
        return Simulation(root, (first,), again)
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
            return Simulation(root, (first,), again, stalls=tuple(stalls(first, play)))
    larger = POWERS[1] if asked.masked else LARGE
    # Where the text fixes the window size, the longer pass has one more window, so that lengths stay distinct.
    longer = room(larger) if world.length == room(world.n) else world.length + max(sizes(first.trace), default=0)
    runs = [first, play(replace(world, n=larger, length=longer))]
    runs[0] = exact(first, runs[1], play)
    world = runs[0].world
    flips = _flipped(world, asked)
    for name, values in sorted(asked.compared.items()):
        flips += [replace(world, strings=((name, value),)) for value in (*values[1:3], NONE_OF_THEM)]
    crossed = _Crossed(text, play)
    others = (play(each) for each in flips[:FLIPS] if text.affords_more)
    turned_over = [each for each in (*others, *crossed.found_by(runs[:1])) if _tells(each, text)]
    within = [each for each in _arms_within(turned_over, asked, text, play) if _tells(each, text)]
    runs += [*turned_over, *within, *crossed.found_by([*turned_over, *within])]
    due = frozenset(counts.asked_inside(runs[0].trace))
    if text.wrapper is not None and not any(_averages(run.trace) for run in runs):
        runs += _of_processes(runs[0].world, text, play)
    hurried = play(replace(runs[0].world, due=due)) if due and text.affords_more else None
    limited = tuple(limits.paired(runs, play))
    others_of_data = tuple(detours(runs, play)), tuple(drifts(runs, play)), tuple(stalls(runs[0], play))
    behind = tuple(flushes(runs, play)) if text.affords_more else ()
    spoken = tuple(shrunk.spoken(runs, play)) if text.affords_more and shrunk.CODE not in text.unasked else ()
    in_arms = tuple(of_every_arm(runs, play))
    switched_on = tuple(paired(runs, play)) if text.affords_more else ()
    thrown = throwing_away(runs, play) if text.affords_more else frozenset()
    cut = not text.affords_more
    return Simulation(
        root, tuple(runs), play, *others_of_data, hurried, limited, behind, spoken, in_arms, switched_on, thrown, cut
    )


def _arms_within(found: Sequence[Played], usual: Asked, text: Text, play: Callable[[World], Played]) -> Iterator[Played]:
    """Runs of the arms that only come up in an unusual arm: `if native: ... elif apex: ... else: ...`."""
    known = usual.deciding | {key for run in found for key, _ in run.world.answers}
    waiting = list(found)
    left = WITHIN
    for run in waiting:
        new = replace(run.asked, deciding=(run.asked.deciding & (run.asked.looped or run.asked.deciding)) - known)
        known |= new.deciding
        for world in _flipped(run.world, new)[:left]:
            if text.affords_more:
                left -= 1
                waiting.append(play(world))
                yield waiting[-1]


class _Crossed:
    """Runs in which a setting has a number that leads to a backward pass which the run that asked for it did not reach."""

    def __init__(self, text: Text, play: Callable[[World], Played]) -> None:
        self._text, self._play = text, play
        self._known: set[str] = set()

    def found_by(self, runs: Sequence[Played]) -> Iterator[Played]:
        """The runs for the settings that some runs compared. Each setting is replaced once."""
        for run in runs:
            for found in run.asked.thresholds.values():
                if found is not None and found[0] not in self._known and self._text.affords_more and len(self._known) < CROSSED:
                    self._known.add(found[0])
                    played = self._play(replace(run.world, numbers=(*run.world.numbers, found)))
                    if _tells(played, self._text):
                        yield played


def _of_processes(world: World, text: Text, play: Callable[[World], Played]) -> Iterator[Played]:
    """A run in which several processes train. If the text never wraps its model, a caller does."""
    several = replace(world, processes=PROCESSES)
    waiting = [several, replace(several, wrapper=text.wrapper)]
    while waiting and text.affords_more:
        played = play(waiting.pop(0))
        if _averages(played.trace):
            yield played
            return
        if played.asked.wraps:  # it wraps something other than the trained model, or in another way
            waiting = _to_the_wrapper(played, text) if played.world == several else []


def _to_the_wrapper(played: Played, text: Text) -> list[World]:
    """The world that takes the other arm of the innermost branch around the wrapper: `if fsdp: ... else: model = DDP(model)`."""
    asked = [key for branch, key in played.asked.branches.items() if any(each is text.wrapper for each in walk(branch))]
    known = [(key, not played.asked.questions[key]) for key in asked[-1:] if key in played.asked.questions]
    return [replace(played.world, answers=(*played.world.answers, each)) for each in known]


def _averages(trace: Trace) -> bool:
    """Whether gradients are averaged over processes."""
    return any(event.parallel for event in trace.of(What.BACKWARD))


def _flipped(world: World, asked: Asked) -> list[World]:
    """The worlds that flip one more answer that decides about training.

    Answers with a backward pass in their other arm come first, then those that a loop asks for.
    """
    keys = sorted(asked.deciding, key=lambda key: (key not in asked.leading, key not in asked.looped, key))
    return [replace(world, answers=(*world.answers, (key, not asked.questions[key]))) for key in keys]
