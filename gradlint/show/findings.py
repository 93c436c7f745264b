"""Ties what `gradlint check` finds to the events of runs, because the picture only accuses what has a finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.analysis.engine import analysis
from gradlint.analysis.located import Located
from gradlint.analysis.project import Project
from gradlint.analysis.source import Problem, Source
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import Diagnostic
from gradlint.rule import Rule
from gradlint.show.labels import LABELS
from gradlint.show.loops import Loop
from gradlint.simulate.scene import Scene, scenes
from gradlint.suppression.comments import keep

BESIDE = frozenset("GRD107 GRD108 GRD207 GRD208 GRD209 GRD210 GRD211 GRD402 GRD405 GRD406 GRD407 GRD502 GRD503 GRD504".split())
"""Rules about what happens once, only with unusual data, or maybe on purpose. They make no mark wrong."""


@dataclass(frozen=True, eq=False)
class About:
    """An event that a finding is about: the kind of its row, and the nodes that may identify the row, the best first."""

    kind: str
    nodes: tuple[cst.CSTNode, ...]


@dataclass(frozen=True, eq=False)
class Charge:
    """A finding and the events that it is about, which are none if it is about something else."""

    code: str
    name: str
    row: int
    events: tuple[About, ...]
    scene: Scene | None = None

    @property
    def nodes(self) -> frozenset[int]:
        """The identities of the nodes of all these events."""
        return frozenset(id(node) for each in self.events for node in each.nodes)


@dataclass(frozen=True, eq=False)
class FoundIn:
    """What all rules find in a text, split into findings that comments silence and others, and the runs of the text."""

    kept: tuple[Located, ...]
    silenced: tuple[Diagnostic, ...]
    runs: Validator


def found_in(source: Source, rules: Sequence[Rule], project: Project) -> FoundIn:
    """Check a text with all rules, and keep its runs."""
    known = analysis(source.text, "", rules, lambda _: source, project)
    shown = {id(each) for each in keep(source.text, known.diagnostics)}
    kept = tuple(each for each in known.located if id(each.diagnostic) in shown)
    silenced = tuple(each for each in known.diagnostics if id(each) not in shown)
    return FoundIn(kept, silenced, known.runs or Validator(source, project))


def faults_left(runs: Validator) -> list[Charge]:
    """Return the faults that the runs of a fixed text still show."""
    faults = [fault for simulation in runs.before for fault in simulation.faults if fault.code not in BESIDE]
    return [Charge(each.code, "", 0, (About(LABELS.get(each.event.what, ""), (each.place, each.event.node)),)) for each in faults]


def charges(located: Sequence[Located], rules: Sequence[Rule], runs: Validator, loops: Sequence[Loop]) -> list[Charge]:
    """Return the findings of a text, each with the events that it is about according to the runs."""
    whole = runs.whole
    if isinstance(whole, Problem):
        return []
    found = [each.diagnostic for each in located]
    shown = list(_placed(list(scenes(runs.before, whole.statements)), rules, {each.code for each in found}, whole))
    return [_charge(each, shown, loops, whole) for each in found]


_Shown = tuple[Scene, cst.CSTNode, frozenset[int | None]]
"""A fault that runs show, the node where it is reported, and the rows that this may be in."""


def _placed(found: Sequence[Scene], rules: Sequence[Rule], codes: set[str], whole: Source) -> Iterator[_Shown]:
    """Yield the faults that runs show, if a rule words them."""
    words = {rule.code: rule.shown for rule in rules if rule.code in codes}
    for scene in found:
        shown = words.get(scene.fault.code)
        if shown is not None:
            at = shown(scene).at
            yield scene, at, frozenset(map(whole.row_of, (scene.place, at)))


def _charge(finding: Diagnostic, shown: Sequence[_Shown], loops: Sequence[Loop], whole: Source) -> Charge:
    row = finding.span.start.row
    own = [each for each in shown if each[0].fault.code == finding.code]
    exact = [each for each in own if row in each[2]]
    near = exact or [each for each in own if each[0].loop is not None and _holds(each[0].loop, row, whole)]
    about = [About(LABELS.get(scene.event.what, ""), (at, scene.place, scene.event.node)) for scene, at, _ in near] or list(
        _events_at(row, loops, whole)
    )
    return Charge(finding.code, finding.name, row, () if finding.code in BESIDE else tuple(about), near[0][0] if near else None)


def _events_at(row: int, loops: Sequence[Loop], whole: Source) -> Iterator[About]:
    """Yield the events at the place of a finding that no run shows."""
    events = {id(event.node): event for loop in loops for each in loop.passes for _, event in each.events if event.what in LABELS}
    for event in events.values():
        if whole.row_of(event.node) == row:
            yield About(LABELS[event.what], (event.node,))


def _holds(node: cst.CSTNode, row: int, whole: Source) -> bool:
    span = whole.span(node)
    return span is not None and whole.row_column(span[0])[0] <= row <= whole.row_column(span[1])[0]


def is_about(charge: Charge, loop: Loop, whole: Source) -> bool:
    """Whether a finding belongs to a loop: its events run there, a run shows it there, or it is inside the loop's lines."""
    if charge.events:
        return any(id(event.node) in charge.nodes for each in loop.passes for _, event in each.events)
    if charge.scene is not None:
        return charge.scene.loop is loop.node
    return loop.node is not None and _holds(loop.node, charge.row, whole)
