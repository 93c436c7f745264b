"""Checks each fix against its promise before offering it, by simulating the text before and after the fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import libcst as cst

from gradlint.analysis.callers_of_changed import changed_functions, compare_from_others, missing_users
from gradlint.analysis.following import Following
from gradlint.analysis.project import Project, Runs
from gradlint.analysis.reparsing import repaired_statements
from gradlint.analysis.several import Rendered
from gradlint.analysis.source import Problem, Source, read_for_runs
from gradlint.analysis.text_changes import Change, apply
from gradlint.analysis.traced import shown
from gradlint.analysis.unbound import Reads, unbound
from gradlint.finding import Finding
from gradlint.model.syntax.expressions import walk_all
from gradlint.relevance.programs import may_lead, may_update
from gradlint.rule import Rule
from gradlint.simulate.compare import Comparison, compare
from gradlint.simulate.engines.lightning import trainer_among
from gradlint.simulate.faults import WORTH_KNOWING
from gradlint.simulate.promise import Promise
from gradlint.simulate.roots import backwards_among
from gradlint.simulate.scene import Scene, scenes
from gradlint.simulate.simulation import Simulation

MOST_TRIED = 30_000
"""The budget for simulating all fixed texts of a file, counted in events and their terms, plus a base cost per run."""
ONE_TRY = 200
CHARACTERS_OF_A_STEP = 20
"""Parsing and compiling this many characters costs about as much as one event."""


class Validator:
    """Simulates one text to find its faults, and to check its fixes. The unchanged text is simulated once, on first use.

    It reads the whole text, however little of it the rules need, because a hook, a property or a data set may be anywhere.
    """

    def __init__(self, source: Source, project: Project, unasked: frozenset[str] = frozenset()) -> None:
        """`unasked` are the faults that no rule in use reports: runs that only they need are not made."""
        self.source = source
        self.project = project
        self.unasked = unasked
        self._tried: _Repaired | None = None
        self.left = MOST_TRIED if project.neighbours is None else 2 * MOST_TRIED

    @cached_property
    def whole(self) -> Source | Problem:
        """The whole text, parsed, or the relevant part of a large one."""
        return self.source.whole(self.project.taught)

    @cached_property
    def before(self) -> tuple[Simulation, ...]:
        """The runs of the unchanged text."""
        return () if isinstance(self.whole, Problem) else self.project.runs(self.whole.statements, unasked=self.unasked)

    @cached_property
    def among(self) -> tuple[Simulation, ...]:
        """The runs of the text with the modules around it. Empty if none are followed."""
        return () if isinstance(self.whole, Problem) else self.project.followed(self.whole.statements, unasked=self.unasked)

    @cached_property
    def following(self) -> Following:
        """The comparison of the text with the modules around it."""
        return Following(self.among, lambda node: self._row_of(node) is not None)

    def asked(self, rules: Sequence[Rule]) -> bool:
        """Whether any of the rules uses runs, and there is something to run."""
        return any(rule.shown is not None for rule in rules) and self._trains

    @cached_property
    def nodes(self) -> list[cst.CSTNode]:
        """All nodes of the whole text."""
        if self.whole is self.source:
            return self._known_nodes
        return [] if isinstance(self.whole, Problem) else walk_all(self.whole.statements)

    @cached_property
    def _known_nodes(self) -> list[cst.CSTNode]:
        """All nodes of the part that was read first."""
        return walk_all(self.source.statements)

    @cached_property
    def _trains(self) -> bool:
        nodes = self._known_nodes
        return bool(backwards_among(nodes)) or trainer_among(nodes) is not None or self._leads

    @cached_property
    def _leads(self) -> bool:
        """Whether the text has no backward pass, but may take part in training with the modules around it."""
        neighbours, text = self.project.neighbours, self.source.text
        if neighbours is None:
            return False
        return (may_lead(text) and neighbours.leads) or (may_update(text) and (neighbours.leads or neighbours.led))

    def shown(self, rules: Sequence[Rule]) -> Iterator[tuple[Rule, Finding, Source]]:
        """Yield the findings that runs show, with the source of their nodes."""
        if not self.asked(rules):
            return
        whole = self.whole
        if isinstance(whole, Source):
            for rule, finding in shown(self._scenes(whole), rules, self._is_checked):
                yield rule, finding, whole

    def _is_checked(self, node: cst.CSTNode) -> bool:
        """Whether gradlint reports findings in the file of a node."""
        neighbours = self.project.neighbours
        return neighbours is None or self._row_of(node) is not None or neighbours.is_checked(node)

    def _scenes(self, whole: Source) -> list[Scene]:
        """The faults of the text, without those that the surrounding modules refute, plus those that they add."""
        own = list(scenes(self.before, whole.statements))
        if not self.among:
            return own
        around = self.project.neighbours.statements if self.project.neighbours is not None else ()
        added = self.following.adds(list(scenes(self.among, [*whole.statements, *around])), own)
        return [*self.following.upheld(own), *added]

    def other(self, node: cst.CSTNode) -> tuple[str, Source] | None:
        """Return the path and the text of the other file that a node is in, if a fix may change it."""
        around = self.project.neighbours
        found = around.source_of(node) if around is not None and around.path.endswith(".py") else None
        return found if found is not None and found[0] != (around.path if around is not None else "") else None

    def comparison(self, code: str, promise: Promise, made: Rendered, row: int, *, safe: bool = True) -> Comparison:
        """Compare the text with and without some changes, by simulation. `row` is the row of the finding.

        Only a fix that is `safe` by itself is also checked with the modules around the text. A fix in several files is checked
        from every file that it may reach.
        """
        changes = made.changes
        self.left -= ONE_TRY + len(self.source.text) // CHARACTERS_OF_A_STEP
        if self.left < 0:
            return Comparison(unseen="the file has more fixes than gradlint can try")
        if made.elsewhere:
            return self._over_files(code, promise, made)
        strange = self._other_users(apply(self.source.text, changes))
        if strange.refused:
            return strange
        repaired = self._repaired(changes)
        if isinstance(repaired.statements, Problem):
            return Comparison(refused="the fixed file would not parse")
        nameless = self._nameless(repaired.text)
        if nameless is not None:
            return Comparison(refused=f"`{nameless}` would have no value there")
        unasked = WORTH_KNOWING - {code}
        after = self._runs(repaired, self.project.runs, unasked)
        alone = compare(self.before, after, code, promise, lambda node: self._row_of(node) == row)
        shows_alone = any(fault.code == code for each in self.before for fault in each.faults)
        alone = replace(alone, unseen=alone.unseen or strange.unseen)
        if alone.refused or not self.among or (shows_alone and (alone.unseen or not safe)):
            return alone
        among = compare(self.among, self._runs(repaired, self.project.followed, unasked), code, promise)
        return replace(among, unseen=alone.unseen if shows_alone else among.unseen)

    def _other_users(self, text: str) -> Comparison:
        """Why a fixed text may break other files: they call functions that get other parameters."""
        around = self.project.neighbours
        if around is not None:
            return Comparison(refused=missing_users(around, {around.path: text}) or "")
        others = changed_functions(self.source.text, text)
        return Comparison(unseen="other files may call the function that gets another parameter" if others else "")

    def _over_files(self, code: str, promise: Promise, made: Rendered) -> Comparison:
        """Compare the repository with and without a fix that changes several of its files."""
        around = self.project.neighbours
        assert around is not None
        changed = {around.path: apply(self.source.text, made.changes), **{each.path: each.text for each in made.elsewhere}}
        repaired = read_for_runs(changed[around.path], self.project.taught)
        if isinstance(repaired, Problem) or not all(map(_parses, changed.values())):
            return Comparison(refused="a fixed file would not parse")
        nameless = next((name for each in made.elsewhere if (name := _nameless(each.source.text, each.text))), None)
        nameless = nameless or self._nameless(changed[around.path])
        if nameless is not None:
            return Comparison(refused=f"`{nameless}` would have no value there")
        after = around.with_texts(changed).simulate(repaired.statements, self.project.taught, WORTH_KNOWING - {code})
        self.left -= sum(len(run.trace.events) for each in after for run in each.runs)
        seen = compare(self.among, after, code, promise)
        if seen.refused:
            return seen
        others = compare_from_others(around, changed, made.elsewhere, code, promise, self.project.taught)
        return others if others.refused else replace(seen, unseen=seen.unseen or others.unseen)

    def original(self, node: cst.CSTNode | None) -> cst.CSTNode | None:
        """The node of the text that a node of a fixed text was, if there is only one like it."""
        around = self.project.neighbours
        if node is None or self._row_of(node) is not None or (around is not None and around.place(node) is not None):
            return node
        same = [each for each in self.nodes if type(each) is type(node) and each.deep_equals(node)]
        return same[0] if len(same) == 1 else None

    @cached_property
    def _unbound(self) -> Reads | None:
        return unbound(self.source.text)

    def _nameless(self, repaired: str) -> str | None:
        """A name that a fixed text reads without a value, although the original does not."""
        return _first_more(self._unbound, unbound(repaired))

    def _row_of(self, node: cst.CSTNode) -> int | None:
        return None if isinstance(self.whole, Problem) else self.whole.row_of(node)

    def _repaired(self, changes: Sequence[Change]) -> _Repaired:
        """The text with some changes. Findings that follow each other often have the same fix: its text is kept with its runs."""
        text = apply(self.source.text, tuple(changes))
        if self._tried is None or self._tried.text != text:
            self._tried = _Repaired(text, repaired_statements(self.whole, self.source.text, changes, self.project.taught))
        return self._tried

    def _runs(self, repaired: _Repaired, runs_of: Runs, unasked: frozenset[str]) -> tuple[Simulation, ...]:
        """The runs of a fixed text, charged to the budget each time they are needed."""
        key = runs_of, unasked
        if key not in repaired.runs:
            repaired.runs[key] = runs_of(repaired.statements, unasked=unasked)
        found = repaired.runs[key]
        self.left -= sum(1 + len(event.terms) for each in found for run in each.runs for event in run.trace.events)
        return found


def _nameless(before: str, after: str) -> str | None:
    return _first_more(unbound(before), unbound(after))


def _first_more(before: Reads | None, after: Reads | None) -> str | None:
    if before is None or after is None:
        return None
    return min((name for _, name in after - before), default=None)


def _parses(text: str) -> bool:
    return isinstance(read_for_runs(text), Source)


@dataclass(frozen=True, eq=False)
class _Repaired:
    """A fixed text: its statements, and its runs by what runs them and the faults that are not asked for."""

    text: str
    statements: Sequence[cst.BaseStatement] | Problem
    runs: dict[tuple[Runs, frozenset[str]], tuple[Simulation, ...]] = field(default_factory=dict)
