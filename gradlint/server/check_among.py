"""Checks one version of a text among the modules around it, including unsaved ones from the editor."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gradlint.analysis.engine import examine
from gradlint.analysis.project import Project, Runs
from gradlint.diagnostic import Diagnostic
from gradlint.run.jointly import careful
from gradlint.run.review import Review
from gradlint.server.check import Watched, guarded, name_of, reported, worth_reading
from gradlint.server.documents import Document
from gradlint.server.found import Checked, GoOn
from gradlint.server.policy import Policies, Policy
from gradlint.simulate.simulation import Simulation


def check_among(document: Document, policies: Policies, unsaved: Mapping[str, str], go_on: GoOn) -> Checked:
    """Check a document among the modules around it, with `unsaved` ones by path. Raises only Superseded."""

    def judge(policy: Policy) -> Checked:
        if not worth_reading(document.code, policy.task):
            return Checked(document, (), policy.task.unsafe, among=True)
        review = Review(name_of(document), document.code, policy.task, unsaved=unsaved)
        project = _Watched(review.project.taught, review.project.neighbours, go_on)
        located = examine(document.code, review.name, Watched(review.rules, go_on), project=project)
        raw = tuple(each.diagnostic for each in located)
        named = {os.path.realpath(review.name), *unsaved}
        found = tuple(careful(each, named) for each in reported(document.code, raw, policy, review))
        followed = frozenset(review.context.followed)
        return Checked(
            document, found, policy.task.unsafe, among=True, raw=raw, followed=followed, texts=_changed(found, project)
        )

    return guarded(document, policies, go_on, judge)


def _changed(found: Sequence[Diagnostic], project: Project) -> dict[str, str]:
    """The texts of the other files that fixes change."""
    parts = (part for each in found if each.fix is not None for part in each.fix.elsewhere)
    around = project.neighbours
    texts = {part.filename: around.repository.text(part.filename) for part in parts} if around is not None else {}
    return {path: text for path, text in texts.items() if text is not None}


@dataclass(frozen=True, eq=False)
class _Watched(Project):
    """A project that checks before each run whether it is still needed."""

    go_on: GoOn = field(default=lambda: None)

    @cached_property
    def runs(self) -> Runs:
        """Run the text by itself."""
        return self._watched(Project(self.taught, self.neighbours).runs)

    @cached_property
    def followed(self) -> Runs:
        """Run the text among its modules."""
        return self._watched(Project(self.taught, self.neighbours).followed)

    def _watched(self, runs: Runs) -> Runs:
        def watched(*given: Any, **settings: Any) -> tuple[Simulation, ...]:
            self.go_on()
            return runs(*given, **settings)

        return watched
