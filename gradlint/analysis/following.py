"""Compares what a file shows by itself with what it shows in the context of the modules around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import libcst as cst

from gradlint.simulate.faults import WORTH_KNOWING, Fault
from gradlint.simulate.scene import Scene
from gradlint.simulate.simulation import Simulation
from gradlint.simulate.trace import Trace, What
from gradlint.simulate.values import OVER_ROWS, VARYING
from gradlint.simulate.verdicts import Answer, verdicts
from gradlint.simulate.views import views

_NO_MEAN = frozenset((OVER_ROWS, VARYING))
"""Why the loss of a micro-batch may be no mean over its rows."""


@dataclass(frozen=True, eq=False)
class Following:
    """The runs of a file together with the modules around it. `is_here` says whether a node belongs to the file."""

    runs: Sequence[Simulation]
    is_here: Callable[[cst.CSTNode], bool]

    def upheld(self, own: Sequence[Scene]) -> Iterator[Scene]:
        """The faults that the file shows by itself.

        A fault is dropped if the runs of surrounding modules reach its code and none of them shows it.
        """
        for scene in own:
            if scene.fault.code in WORTH_KNOWING:
                yield scene  # these faults do not depend on where the loop is called from
                continue
            known = [each for each in self._known if id(scene.event.node) in each.usual]
            if scene.fault.code == "GRD101" and self._doubts_mean(scene):
                continue
            if not known or any(each.shows(scene.fault) for each in known):
                among = known[0].simulation.main if known else None
                yield replace(scene, caller=_only_from(scene, known), among=among)

    def adds(self, scenes: Sequence[Scene], own: Sequence[Scene]) -> Iterator[Scene]:
        """The faults that only runs with the surrounding modules show. Their rules decide which code, and so which file, is reported.

        `scenes` are the scenes of those runs, and `own` those of the file by itself.
        """
        known = {scene.fault.key for scene in own}
        for scene in scenes:
            if scene.fault.key in known:
                continue
            leading = self._leading(scene)
            called = any(each.simulation.caller for each in leading)
            if scene.fault.code == "GRD202" and not called and not (scene.loop is not None and self.is_here(scene.loop)):
                continue  # only the code that provides the data knows the length of a pass, not a helper of the loop
            yield replace(scene, caller=_only_from(scene, leading))

    def _doubts_mean(self, scene: Scene) -> bool:
        """Whether the modules show how a loss is computed that the file presumes to be a mean, and it may be none.

        It may be a sum over rows, which nothing needs to divide, or weighted by the data.
        """
        backwards = [each.simulation.main.trace.of(What.BACKWARD) for each in self._leading(scene)]
        reached = [event for events in backwards for event in events if event.node is scene.event.node]
        return bool(reached) and all(factor.doubt in _NO_MEAN for event in reached for _, factor in event.terms)

    def _leading(self, scene: Scene) -> list[_Known]:
        """The runs that reach the code a fault is about."""
        return [each for each in self._all if id(scene.event.node) in each.met]

    @cached_property
    def _all(self) -> list[_Known]:
        return list(map(_Known, self.runs))

    @cached_property
    def _known(self) -> list[_Known]:
        return [known for known in self._all if known.is_sure]


def _only_from(scene: Scene, leading: Sequence[_Known]) -> str:
    """A module whose runs show a fault, or an empty string if all runs that reach its place show it."""
    showing = [each for each in leading if each.shows(scene.fault)]
    return next((each.simulation.caller for each in showing), "") if len(showing) < len(leading) else ""


def _nodes(trace: Trace) -> frozenset[int]:
    return frozenset(id(node) for event in trace.events for node in (event.node, *event.stack))


@dataclass(frozen=True, eq=False)
class _Known:
    """The runs from one root, and the code they reach."""

    simulation: Simulation

    @cached_property
    def met(self) -> frozenset[int]:
        """The events of an update, and the calls that lead to them."""
        return frozenset().union(*(_nodes(run.trace) for run in self.simulation.runs))

    @cached_property
    def usual(self) -> frozenset[int]:
        """The events and calls of the usual world. Too little may be known about code that only another branch reaches.

        A call of a known function counts even if nothing happens in it: what a file presumes of it by its name is refuted.
        """
        return _nodes(self.simulation.main.trace) | self.simulation.main.trace.called

    @cached_property
    def is_sure(self) -> bool:
        """Whether it updates weights, once per window or on each micro-batch, and all its loops have a definite verdict."""
        if not any(view.accumulates or (view.size == 1 and view.steps) for view in views(self.simulation.main.trace)):
            return False
        return all(each.answer is not Answer.UNKNOWN for each in verdicts(self.simulation))

    def shows(self, fault: Fault) -> bool:
        """Whether the runs show a fault of that rule at its place, or at what is called there."""
        places = {id(fault.place), id(fault.event.node)}
        return any(
            each.code == fault.code and not places.isdisjoint({id(each.place), id(each.event.node), *map(id, each.event.stack)})
            for each in self.simulation.faults
        )
