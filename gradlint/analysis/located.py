"""A diagnostic together with the changes that its fix makes to the text."""

from __future__ import annotations

from dataclasses import dataclass

from gradlint.analysis.text_changes import Change
from gradlint.diagnostic import Diagnostic


@dataclass(frozen=True)
class Located:
    """A diagnostic together with the changes that its fix makes to the text."""

    diagnostic: Diagnostic
    changes: tuple[Change, ...] = ()
