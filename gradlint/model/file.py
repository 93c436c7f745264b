"""Facts about a file as a whole: its names, its imports, and the optimizers that it builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.model.data.built import Construction
from gradlint.model.data.settings import NO_SETTINGS, SettingsInSight
from gradlint.model.names.facts import Facts, collect
from gradlint.model.names.vocabulary import UNTAUGHT, Taught
from gradlint.model.optimizers import constructions
from gradlint.model.page import BLANK, Page


@dataclass(frozen=True, eq=False)
class TrainingFile:
    """Everything that rules can query about one file."""

    optimizers: tuple[Construction, ...] = ()
    facts: Facts | None = None
    statements: tuple[cst.BaseStatement, ...] = ()
    imports: tuple[cst.CSTNode, ...] = ()
    settings: SettingsInSight = NO_SETTINGS
    """The settings files that the file can name."""


def read_file(
    statements: Sequence[cst.BaseStatement],
    words: Taught = UNTAUGHT,
    page: Page = BLANK,
    settings: SettingsInSight = NO_SETTINGS,
) -> TrainingFile:
    """Read a file from its top-level statements (all of them, or the relevant ones) and its full text."""
    facts = collect(statements, words, page)
    return TrainingFile(constructions(facts), facts, tuple(statements), tuple(facts.import_nodes), settings)
