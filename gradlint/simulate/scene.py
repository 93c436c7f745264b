"""A fault with what stands around it in the run that shows it: what a rule needs to word it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.model.names.vocabulary import BOUNDARY_ARGUMENTS
from gradlint.model.syntax.expressions import keywords, text
from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.simulation import Simulation
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.verdicts import faults
from gradlint.simulate.views import View, views
from gradlint.simulate.world import WINDOW_OF

_LONGEST = 60
"""Characters of code that a message quotes."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A fault, the first run that shows its event, and the optimizer that it concerns as that run sees it; `runs` are all runs."""

    fault: Fault
    run: Played
    view: View
    statements: Sequence[cst.BaseStatement] = ()
    runs: Sequence[Played] = ()

    @property
    def place(self) -> cst.CSTNode:
        """The node that the fault is reported at."""
        return self.fault.place

    @property
    def event(self) -> Event:
        """The event at which the fault shows."""
        return self.fault.event

    @cached_property
    def everywhere(self) -> list[tuple[Event, Trace]]:
        """The fault's event in all runs, whichever arm made its object, each with its trace."""
        traces = [run.trace for run in self.runs]
        return [(each, trace) for trace in traces for each in trace.of(self.event.what) if each.node is self.event.node]

    @cached_property
    def step(self) -> Event:
        """The optimizer step that the fault is measured against."""
        for each in (self.fault.other, self.fault.event):
            if each is not None and each.what is What.STEP:
                return each
        return self.view.steps[0]

    @cached_property
    def steps(self) -> str | None:
        """The accumulation steps as the text writes them; None where they have no name of their own."""
        trace = self.run.trace
        named = sorted((n for n in trace.n_names if trace.settings.get(n) == self.view.size), key=lambda n: (len(n), n))
        named = [each for each in named if not each.startswith(WINDOW_OF)]
        if not named:
            return str(self.view.size) if self.view.size in trace.literals else None
        return named[0]

    @property
    def n(self) -> str:
        """The accumulation steps as a reader knows them, for messages."""
        return f"`{self.steps}`" if self.steps else "N"

    @cached_property
    def guard(self) -> cst.CSTNode | None:
        """The condition under which the optimizer steps, and that the backward passes do not stand under."""
        feeding = {id(node) for event in self.view.backwards for node, _, _ in event.path}
        tests = [getattr(node, "test", None) for node, _, _ in self.step.path if id(node) not in feeding]
        return next((test for test in reversed(tests) if isinstance(test, cst.CSTNode)), None)

    @cached_property
    def loop(self) -> cst.CSTNode | None:
        """The innermost loop, or the function, around the backward passes."""
        loops = self.view.backwards[0].loops if self.view.backwards else self.event.loops
        return loops[-1] if loops else None

    @property
    def where(self) -> str:
        """In which world the fault shows, where it does not in the usual one: a clause for the end of a message."""
        answers = self.run.world.answers
        if self._usual or not answers:
            return ""
        key, answer = answers[-1]
        return f" (where `{key}` is {'true' if answer else 'false'})"

    @cached_property
    def _usual(self) -> bool:
        """Whether the run is the usual one."""
        return not self.run.world.answers and not self.run.world.strings

    @property
    def too_often(self) -> str:
        """How often the fault's event happens, and how often the optimizer steps: the first half of a message."""
        window = next((each for each in self.view.closed if len(each.micros) == self.view.size), None)
        times = sum(event.node is self.event.node for _, event in window.events) if window is not None else 0
        if times < self.view.size or self.view.size < 2:
            return f"{self.here} runs more often than {self.there}"
        return f"{self.here} runs on every micro-batch, {self.there} once every {self.n}"

    @property
    def here(self) -> str:
        """The code that the fault is reported at."""
        return self.quoted(self.place)

    @property
    def there(self) -> str:
        """The code of the optimizer step; of a wrapper that steps where it is told to, with what tells it."""
        node = self.step.node
        flag = next((name for name in keywords(node) if name in BOUNDARY_ARGUMENTS), None) if isinstance(node, cst.Call) else None
        return f"`{text(node.func)}({flag}=True)`" if isinstance(node, cst.Call) and flag else self.quoted(node)

    def quoted(self, node: cst.CSTNode) -> str:
        """The code of a node on one line, for a message."""
        code = " ".join(text(node).split())
        return f"`{code}`" if len(code) <= _LONGEST else f"`{code[: _LONGEST - 3]}...`"


def scenes(simulations: Sequence[Simulation], statements: Sequence[cst.BaseStatement]) -> Iterator[Scene]:
    """The faults of a text, given as its statements and their runs, each with its scene."""
    for simulation in simulations:
        for fault in faults(simulation):
            runs = simulation.runs
            found = next((each for run in runs if (each := _scene(fault, run, runs, statements)) is not None), None)
            if found is not None:
                yield found


def _scene(fault: Fault, run: Played, runs: Sequence[Played], statements: Sequence[cst.BaseStatement]) -> Scene | None:
    if not any(event is fault.event for event in run.trace.events):
        return None
    seen = views(run.trace)
    own = (view for view in seen if any(event is fault.event for _, event in view.events))
    view = next(own, None)
    return Scene(fault, run, view, statements, runs) if view is not None else None
