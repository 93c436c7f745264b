"""A fault and its context in the run that shows it: what a rule needs to word a finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

import libcst as cst

from gradlint.model.names.vocabulary import BOUNDARY_ARGUMENTS
from gradlint.model.syntax.expressions import dotted, keywords, last_name, text, walk_all
from gradlint.simulate.faults import Fault
from gradlint.simulate.fitting import Played
from gradlint.simulate.simulation import Simulation
from gradlint.simulate.trace import Event, Stepper, Trace, What
from gradlint.simulate.views import View, views
from gradlint.simulate.world import WINDOW_OF, last_part

NOBODY = Stepper(-1, "", None, "", None, frozenset())
"""The optimizer of a loop whose real optimizer is unknown."""

_LONGEST = 60
"""The maximum number of characters of code that a reason quotes."""

_BRIEF = 35
"""The maximum number of characters of code that a header quotes."""
_COUNTED = re.compile(r" at \d+$")
"""What distinguishes the results of two calls of the same function."""


Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Script:
    """The statements of a text, shared by all its scenes."""

    statements: Sequence[cst.BaseStatement] = ()
    _made: dict[Callable[..., Any], Any] = field(default_factory=dict, init=False)

    def once(self, make: Callable[[Sequence[cst.BaseStatement]], Made]) -> Made:
        """The result of a function of the statements, computed once and cached."""
        if make not in self._made:
            self._made[make] = make(self.statements)
        found: Made = self._made[make]
        return found


@dataclass(frozen=True, eq=False)
class Scene:
    """A fault, the first run that shows its event, and that run as the optimizer concerned sees it; `runs` are all runs."""

    fault: Fault
    run: Played
    view: View
    script: Script = field(default_factory=Script)
    runs: Sequence[Played] = ()
    caller: str = ""
    """The only calling module that shows the fault, if other modules that lead here do not."""
    among: Played | None = None
    """A run of the text among the modules around it, which may know where a setting comes from."""

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
        """The fault's event in all runs, whichever arm created its object, each with its trace."""
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
        """The accumulation steps as the text writes them; None if they have no name."""
        trace = self.run.trace
        named = sorted((n for n in trace.n_names if trace.settings.get(n) == self.view.size), key=lambda n: (len(n), n))
        named = [each for each in named if not each.startswith(WINDOW_OF)]
        if not named:
            return str(self.view.size) if self.view.size in trace.literals else None
        return named[0]

    @cached_property
    def steps_here(self) -> str | None:
        """The accumulation steps as they can be written at the fault: as a condition writes them, else as a name or a number."""
        node, runs = self.event.node, self._with_other_n
        met = [run for run in runs if node in run.trace.spelled]
        names = [{each for each, value in run.trace.spelled[node].items() if value == self._size_in(run)} for run in met]
        found = set.intersection(*names) if names else set()
        own = _length_of_what(self.loop)
        if own in found:
            return own  # it also fits a last window that is shorter
        if len(met) == 1:  # a number may be equal by chance
            spelled = {last_part(each) for each in self.run.trace.n_names}
            found = {each for each in found if last_part(each) in spelled}
        asked = [text(each.node.right) for each in self.run.trace.remainders if isinstance(each.node, cst.BinaryOperation)]
        first = next((each for each in asked if each in found), None)
        literal = len({self._size_in(run) for run in runs}) == 1 and (len(runs) > 1 or not self.run.trace.n_names)
        if first is None and literal:
            own = self.steps if self.steps in found or not met or (self.steps or "").isdigit() else None
            return next((each for each in self.script.once(_divisors) if each in found), own)
        return first or min(
            found, key=lambda each: (each != self.steps, each.count(".") + each.count("["), len(each), each), default=None
        )

    @property
    def _with_other_n(self) -> list[Played]:
        """The scene's run, and one with another N."""
        others = (run for run in self.runs if run.trace.n != self.run.trace.n)
        return [self.run, *islice(others, 1)]

    def _size_in(self, run: Played) -> int:
        """The size of windows in a run, which may depend on N."""
        if run is self.run:
            return self.view.size or run.trace.n
        return next((each.size for each in views(run.trace) if each.key == self.view.key and each.size), run.trace.n)

    @property
    def n(self) -> str:
        """The accumulation steps as the reader knows them, for messages."""
        if self.steps is None:
            return "N"
        return f"`{self.steps if self.steps.isprintable() else last_part(self.steps)}`"

    @cached_property
    def guard(self) -> cst.CSTNode | None:
        """The condition around the optimizer step that is not around the backward passes.

        It is the innermost one that uses the position in the window, if any does.
        """
        feeding = {id(node) for event in self.view.backwards for node, _, _ in event.path}
        asking = {id(each.branch) for each in self.run.trace.remainders}
        own = [
            node
            for node, _, _ in self.step.path
            if id(node) not in feeding and isinstance(getattr(node, "test", None), cst.CSTNode)
        ]
        found = [node for node in own if id(node) in asking] or own
        return getattr(found[-1], "test", None) if found else None

    @cached_property
    def loop(self) -> cst.CSTNode | None:
        """The innermost loop, or the function, around the backward passes."""
        loops = self.view.backwards[0].loops if self.view.backwards else self.event.loops
        return loops[-1] if loops else None

    @property
    def where(self) -> str:
        """The world in which the fault shows, if not the usual one: a clause for the end of a message."""
        answers = self.run.world.answers
        led = f" (when `{self.caller}` calls it)" if self.caller else ""
        if self._usual or not answers:
            return led
        key, answer = answers[-1]
        return f" (where `{_COUNTED.sub('(...)', key)}` is {'true' if answer else 'false'}){led}"

    @cached_property
    def _usual(self) -> bool:
        """Whether the run is the usual one."""
        return not self.run.world.answers and not self.run.world.strings

    @property
    def too_often(self) -> str:
        """How often the fault's event happens compared with the optimizer step: a clause with the event as `it`."""
        window = next((each for each in self.view.closed if len(each.micros) == self.view.size), None)
        times = sum(event.node is self.event.node for _, event in window.events) if window is not None else 0
        if times < self.view.size or self.view.size < 2:
            return f"it runs more often than {self.there}"
        return f"it runs on every micro-batch, {self.there} once every {self.n}"

    @property
    def here(self) -> str:
        """The code that the fault is reported at."""
        return self.quoted(self.place)

    @property
    def there(self) -> str:
        """The code of the optimizer step. If a wrapper steps when a flag says so, the flag is included."""
        node = self.step.node
        flag = next((name for name in keywords(node) if name in BOUNDARY_ARGUMENTS), None) if isinstance(node, cst.Call) else None
        return f"`{text(node.func)}({flag}=True)`" if isinstance(node, cst.Call) and flag else self.quoted(node)

    def quoted(self, node: cst.CSTNode) -> str:
        """The code of a node on one line, for a message."""
        return f"`{_cut(text(node), _LONGEST)}`"


def brief(code: cst.CSTNode | str, longest: int = _BRIEF) -> str:
    """Code as a header names it: calls by their function, shortened to fit."""
    if not isinstance(code, cst.Call):
        return f"`{_shortened(code if isinstance(code, str) else text(code), longest)}`"
    ending = "(...)" if code.args else "()"
    name = _shortened(dotted(code.func) or last_name(code.func) or text(code.func), longest)
    return f"`{name}{ending}`" if len(name) + len(ending) <= longest else f"`{name}`"


def _shortened(code: str, longest: int) -> str:
    """Code on one line. A long path keeps its last names, anything else its beginning."""
    while len(code) > longest and re.fullmatch(r"[\w.]+\.\w+", code):
        code = code.partition(".")[2]
    return _cut(code, longest)


def _cut(code: str, longest: int) -> str:
    code = " ".join(code.split())
    return code if len(code) <= longest else f"{code[: longest - 3]}..."


def _length_of_what(loop: cst.CSTNode | None) -> str | None:
    """The length of the list that a loop iterates over, as an expression. None if the list has no name."""
    walked = loop.iter if isinstance(loop, cst.For) else None
    if isinstance(walked, cst.Call) and text(walked.func) == "enumerate" and walked.args:
        walked = walked.args[0].value
    return f"len({walked.value})" if isinstance(walked, cst.Name) else None


def _divisors(statements: Sequence[cst.BaseStatement]) -> list[str]:
    """The divisors of all remainders in a text."""
    operations = (each for each in walk_all(statements) if isinstance(each, cst.BinaryOperation))
    return [text(each.right) for each in operations if isinstance(each.operator, cst.Modulo)]


def scenes(simulations: Sequence[Simulation], statements: Sequence[cst.BaseStatement]) -> Iterator[Scene]:
    """The faults of a text, given as its statements and runs, each with its scene."""
    script = Script(statements)
    for simulation in simulations:
        for fault in simulation.faults:
            own = [group for group in simulation.arms if any(fault.event in run.trace.events for run in group)]
            runs = (*simulation.runs, *(run for group in own for run in group))
            found = next((each for run in runs if (each := _scene(fault, run, runs, script)) is not None), None)
            if found is not None:
                yield found


def _scene(fault: Fault, run: Played, runs: Sequence[Played], script: Script) -> Scene | None:
    if not any(event is fault.event for event in run.trace.events):
        return None
    seen = views(run.trace)
    own = (view for view in seen if any(event is fault.event for _, event in view.events))
    view = next(own, None)
    if view is None and not any(view.backwards for view in seen):
        view = View(run.trace, NOBODY, list(enumerate(run.trace.events)))  # the step is not visible
    if view is not None and fault.beside is not None:
        view = view.without(fault.beside)
    return Scene(fault, run, view, script, runs) if view is not None else None
