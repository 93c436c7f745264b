"""Checks one version of a text among the modules around it, including unsaved ones from the editor, and judges its loops."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from gradlint.analysis.engine import analysis
from gradlint.analysis.project import Project
from gradlint.diagnostic import Diagnostic
from gradlint.run.jointly import careful
from gradlint.run.review import Review
from gradlint.server.check import Watched, guarded, name_of, reported, worth_reading
from gradlint.server.documents import Document
from gradlint.server.found import Checked, GoOn
from gradlint.server.policy import Policies, Policy


def check_among(document: Document, policies: Policies, unsaved: Mapping[str, str], go_on: GoOn) -> Checked:
    """Check a document among the modules around it, with `unsaved` ones by path. Raises only Superseded."""

    def judge(policy: Policy) -> Checked:
        if not worth_reading(document.code, policy.task):
            return Checked(document, (), policy.task.unsafe, among=True)
        review = Review(name_of(document), document.code, policy.task, unsaved=unsaved, go_on=go_on)
        known = analysis(document.code, review.name, Watched(review.rules, go_on), project=review.project)
        named = {os.path.realpath(review.name), *unsaved}
        found = tuple(careful(each, named) for each in reported(document.code, known.diagnostics, policy, review))
        return Checked(
            document,
            found,
            policy.task.unsafe,
            among=True,
            raw=known.diagnostics,
            followed=frozenset(review.context.followed),
            loops=known.loops(found, review.name),
            texts=_changed(found, review.project),
        )

    return guarded(document, policies, go_on, judge)


def _changed(found: Sequence[Diagnostic], project: Project) -> dict[str, str]:
    """The texts of the other files that fixes change."""
    parts = (part for each in found if each.fix is not None for part in each.fix.elsewhere)
    around = project.neighbours
    texts = {part.filename: around.repository.text(part.filename) for part in parts} if around is not None else {}
    return {path: text for path, text in texts.items() if text is not None}
