"""Checks one text under one task while it is being fixed: what is found, what of that is new, and what may be fixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress
from operator import not_

from gradlint.analysis import engine
from gradlint.analysis.located import Located
from gradlint.analysis.neighbours import neighbours_of
from gradlint.analysis.project import Project
from gradlint.analysis.text_changes import edited
from gradlint.diagnostic import Diagnostic, LoopVerdict, TextFix
from gradlint.fixes.fixer import FixOutcome, admitted
from gradlint.fixes.fixer import fix as fix_all
from gradlint.registry import all_rules
from gradlint.repository.context import NO_CONTEXT, Context
from gradlint.rule import Rule
from gradlint.run.task import Task
from gradlint.simulate.going_on import GoOn, to_the_end
from gradlint.suppression.baseline import Entries, sort
from gradlint.suppression.comments import keep
from gradlint.suppression.prints import Print, prints

Repair = Callable[["Review"], FixOutcome]
"""Turns a text into another one, and says which findings this removes."""


@dataclass(frozen=True)
class Split:
    """The findings to report, the prints of those that the baseline holds back, and the findings outside of the change."""

    new: tuple[Diagnostic, ...]
    held: tuple[Print, ...] = ()
    outside: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Review:
    """A text as it was read, and the answers about it. The methods take the current state of the text.

    `refusal` says why a new text cannot be written to the file. A fix that would produce such a text is withheld. `unsaved` holds
    unsaved texts of other files in an editor, by path. `go_on` is called before each simulated run, and may end the work.
    """

    name: str
    text: str
    task: Task
    refusal: Callable[[str], str | None] | None = None
    unsaved: Mapping[str, str] = field(default_factory=dict)
    go_on: GoOn = to_the_end

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        return self.task.selection.choose(all_rules())

    @cached_property
    def project(self) -> Project:
        """What is known from outside the text."""
        taught = self.task.names.taught(self.task.max_size)
        neighbours = neighbours_of(self.name, self.text, self.unsaved) if self.task.follow else None
        return Project(taught, neighbours, self.go_on)

    @property
    def context(self) -> Context:
        """What the result depends on besides the text."""
        neighbours = self.project.neighbours
        return neighbours.context if neighbours is not None else NO_CONTEXT

    def found(self, text: str) -> tuple[Diagnostic, ...]:
        """Return everything that no comment silences, without fixes that the settings exclude."""
        return self._reported(text, self._analysis(text).diagnostics)

    def loops(self, text: str, reported: tuple[Diagnostic, ...]) -> tuple[LoopVerdict, ...]:
        """Return the verdict on each training loop, given what is reported."""
        return self._analysis(text).loops(reported, self.name)

    def _analysis(self, text: str) -> engine.Analysis:
        known = self._analyses.get(text)
        if known is None:
            self._analyses.clear()
            known = self._analyses[text] = engine.analysis(text, self.name, self.rules, project=self.project)
        return known

    @cached_property
    def _analyses(self) -> dict[str, engine.Analysis]:
        """Cache of the analysis of the last text."""
        return {}

    def _reported(self, text: str, found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
        wanted = (each if self._may_fix(each) else replace(each, fix=None) for each in keep(text, found))
        return tuple(self._writable(text, each) for each in wanted)

    def split(self, text: str, found: tuple[Diagnostic, ...]) -> Split:
        """Split findings into those to report, those that the baseline holds back, and those that the change does not reach."""
        new, held = found, tuple[Print, ...]()
        if self.task.baseline:
            unchanged = text == self.text
            known = sort(text, found, self.task.baseline if unchanged else self._matched, loosely=not unchanged)
            new, held = known.new, known.held
        if self.task.changed is None or not new:
            return Split(new, held)
        from gradlint.changes.lines import moved  # most runs ask for no change
        from gradlint.changes.reach import Reach

        reach = Reach(text, moved(self.task.changed, self.text, text), lambda: self.loops(text, found))
        reached = [reach.of(each) for each in new]
        return Split(tuple(compress(new, reached)), held, tuple(compress(new, map(not_, reached))))

    def new(self, text: str) -> tuple[Diagnostic, ...]:
        """Return what is reported."""
        return self.split(text, self.found(text)).new

    def prints(self, text: str, found: tuple[Diagnostic, ...]) -> tuple[Print, ...]:
        """Return what a baseline identifies the findings by."""
        return prints(text, found)

    def fixes(self, text: str) -> list[Located]:
        """Return the new findings whose fixes may be applied, in the order of their places."""
        return admitted(text, self.name, self.rules, self.task.unsafe, self._keep, self.project)

    def fixed(self) -> FixOutcome:
        """Return the text after all fixes."""
        return fix_all(self.text, self.name, self.rules, unsafe=self.task.unsafe, keep=self._keep, project=self.project)

    def annotated(self) -> FixOutcome:
        """Return the text with comments that silence its new findings."""
        from gradlint.suppression.add_ignore import add_ignores

        outcome = add_ignores(self.text, self.new, self.task.annotate or "")
        return FixOutcome(outcome.text, outcome.silenced)

    @cached_property
    def _matched(self) -> Entries:
        """The baseline entries that matched the text before anything in it was changed."""
        held = sort(self.text, self.found(self.text), self.task.baseline or ()).held
        return tuple(sorted(Counter(held).items()))

    def _keep(self, text: str, diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
        return tuple(
            each
            for each in self.split(text, keep(text, diagnostics)).new
            if self._may_fix(each) and self._refused(text, each.fix) is None
        )

    def _writable(self, text: str, diagnostic: Diagnostic) -> Diagnostic:
        """Return the diagnostic without a fix that cannot be written, and explain that in its note."""
        reason = self._refused(text, diagnostic.fix)
        if reason is None:
            return diagnostic
        note = f"gradlint offers no fix: {reason}"
        return replace(diagnostic, fix=None, note=f"{diagnostic.note}; {note}" if diagnostic.note else note)

    def _refused(self, text: str, fix: TextFix | None) -> str | None:
        return self.refusal(edited(text, fix.edits)) if self.refusal is not None and fix is not None else None

    def _may_fix(self, diagnostic: Diagnostic) -> bool:
        return diagnostic.fix is None or self.task.selection.fixes(diagnostic.code, diagnostic.name)


def repair_of(task: Task) -> Repair | None:
    """Return how a task changes a text, or None if it only checks."""
    if task.annotate is not None:
        return Review.annotated
    return Review.fixed if task.fix else None
