"""The training loops that the runs of a text reach, each with the runs to draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isclose

import libcst as cst

from gradlint.show.passes import Pass, first_pass, innermost
from gradlint.simulate.compare import named
from gradlint.simulate.divided import State, states_of
from gradlint.simulate.engines.lightning import AUTOMATIC
from gradlint.simulate.fitting import Played, is_whole, room
from gradlint.simulate.simulation import Simulation
from gradlint.simulate.trace import Trace, What
from gradlint.simulate.views import View, views
from gradlint.simulate.world import WINDOW_OF, World

LARGEST = 8
"""Limit up to which N is drawn as it is. Larger ones are drawn as the simulation runs them."""


@dataclass(frozen=True, eq=False)
class Loop:
    """A loop by its node: the innermost loop, or function, around backward passes.

    `runs` are the run to draw, and runs on the same data with other settings. `name` distinguishes it from the loops of other
    functions where runs start.
    """

    node: cst.CSTNode | None
    simulation: Simulation
    runs: tuple[Played, ...]
    name: tuple[str, int, int]

    @property
    def trace(self) -> Trace:
        """The trace to draw."""
        return self.runs[0].trace

    @cached_property
    def views(self) -> list[View]:
        """The trace as seen by each optimizer that steps and gets gradients from the loop's backward passes."""
        own = {id(event) for event in self.trace.of(What.BACKWARD) if innermost(event) is self.node}
        return [view for view in views(self.trace) if any(id(event) in own for event in view.backwards)]

    @cached_property
    def optimizers(self) -> frozenset[int]:
        """The numbers of these optimizers."""
        return frozenset(view.optimizer.number for view in self.views)

    @cached_property
    def passes(self) -> list[Pass]:
        """The pass of each run that reaches the loop."""
        runs = [run.trace for run in self.runs if _comes_to(run.trace, self.node)]
        return [first_pass(trace, self.node, self.optimizers) for trace in runs]

    @cached_property
    def size(self) -> int:
        """The number of micro-batches that share an update. With several optimizers, it is the largest."""
        return max((view.size for view in self.views), default=0)

    @cached_property
    def steps(self) -> str:
        """N as the text writes it, or "" if it has no name."""
        trace = self.trace
        wanted = self.size if self.size > 1 else trace.n
        named = sorted((n for n in trace.n_names if trace.settings.get(n) == wanted), key=lambda n: (len(n), n))
        return next((each for each in named if not each.startswith(WINDOW_OF)), "")

    @cached_property
    def states(self) -> dict[int, set[State]]:
        """What the terms of each backward pass are divided by, by the node of its call."""
        found: dict[int, set[State]] = {}
        runs = self.simulation.runs
        larger = {view.key: view for view in views(runs[1].trace)} if len(runs) > 1 else {}
        for view in views(runs[0].trace):
            states = _of_no_window(view) | (states_of(view, larger.get(view.key)) if view.size > 1 else {})
            for event in view.backwards:
                terms = {states[key] for source, _ in event.terms if (key := id(source.node)) in states}
                found.setdefault(id(event.node), set()).update(terms)
        return found


def _of_no_window(view: View) -> dict[int, State]:
    """Return the terms that are divided by N, whether or not they belong to a whole window."""
    divided = ((id(source.node), factor) for event in view.backwards for source, factor in event.terms if factor.divisors)
    return {key: State.DIVIDED for key, factor in divided if view.trace.n_names and isclose(factor.value * view.trace.n, 1.0)}


def loops_of(simulations: Sequence[Simulation]) -> Iterator[Loop]:
    """Yield the loops of a text, each once, wherever the runs start."""
    seen: set[int] = set()
    counts: Counter[tuple[str, int]] = Counter()
    for name, simulation in named(simulations):
        worlds = [run for run in simulation.runs if run.world.n == simulation.main.world.n]
        for run in worlds:
            for backward in run.trace.of(What.BACKWARD):
                if id(backward.node) in seen or backward.through == AUTOMATIC:
                    continue
                node = innermost(backward)
                runs = (run, *(each for each in worlds if each is not run))
                loop = Loop(node, simulation, runs, (*name, counts[name]))
                counts[name] += 1
                loop = _as_written(loop)
                yield loop
                shown = (event for each in loop.passes for _, event in each.events)
                seen |= {id(event.node) for event in shown if event.what is What.BACKWARD}
                seen |= {id(event.node) for event in run.trace.of(What.BACKWARD) if innermost(event) is node}


def _as_written(loop: Loop) -> Loop:
    """Return the loop in runs with the N of the text itself, if that is known and small enough to draw."""
    n, play = loop.trace.actual_n, loop.simulation.play
    if not 1 < n <= LARGEST or n == loop.trace.n or loop.size in loop.trace.literals or play is None:
        return loop
    first, *others = (play(_with(run.world, n)) for run in loop.runs)
    drawn = replace(loop, runs=(first, *others))
    return drawn if _comes_to(first.trace, loop.node) and (is_whole(first.trace) or loop.size < 2) else loop


def _with(world: World, n: int) -> World:
    return replace(world, n=n, length=room(n))


def _comes_to(trace: Trace, node: cst.CSTNode | None) -> bool:
    return any(innermost(event) is node for event in trace.of(What.BACKWARD))
