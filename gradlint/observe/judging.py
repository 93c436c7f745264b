"""Judges an observed run: with the judge of simulated runs, and worded by the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import libcst as cst

from gradlint.finding import Finding
from gradlint.observe.files import Files
from gradlint.rule import Rule
from gradlint.simulate.fitting import Played
from gradlint.simulate.judge import Fault, judge
from gradlint.simulate.scene import Scene, scenes
from gradlint.simulate.simulation import Simulation
from gradlint.simulate.trace import Trace
from gradlint.simulate.world import Asked, World


@dataclass(frozen=True, eq=False)
class Observed(Simulation):
    """One observed run in the place of the simulated runs of a root."""

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that the run shows. There is no run with a larger N, so what only that would show is not known."""
        return tuple(judge(self.main.trace, None))


@dataclass(frozen=True, eq=False)
class Found:
    """A fault of the run: its rule, the finding that words it, and where it is reported."""

    rule: Rule
    finding: Finding
    scene: Scene
    file: str
    row: int


@dataclass(frozen=True, eq=False)
class Judged:
    """An observed run with what is wrong with it."""

    trace: Trace
    files: Files
    simulation: Observed
    found: tuple[Found, ...] = field(default=())


def judged(trace: Trace, files: Files, rules: Sequence[Rule]) -> Judged:
    """Judge a run."""
    simulation = Observed(None, (Played(World(max(trace.n, 2)), trace, Asked()),))
    return Judged(trace, files, simulation, tuple(_found(simulation, files, rules)))


def _found(simulation: Observed, files: Files, rules: Sequence[Rule]) -> Iterator[Found]:
    statements = [each for file in files.known.values() if file is not None for each in file.source.statements]
    by_code = {rule.code: rule for rule in rules}
    for scene in scenes((simulation,), statements):
        rule = by_code.get(scene.fault.code)
        if rule is None or rule.shown is None:
            continue
        finding = rule.shown(scene)
        place = next((known for node in _nodes(finding, scene) if (known := files.place_of(node)) is not None), None)
        if place is not None:
            yield Found(rule, finding, scene, place[0].name, place[1])


def _nodes(finding: Finding, scene: Scene) -> tuple[cst.CSTNode, ...]:
    return finding.at, scene.place, scene.event.node
