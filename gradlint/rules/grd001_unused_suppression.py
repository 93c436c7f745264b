"""GRD001 unused-suppression; the page is rules/GRD001.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.rule import comment_rule

unused_suppression = comment_rule(
    "GRD001", "unused-suppression", "A suppression comment silences nothing, or names no rule", severity=Severity.WARNING
)
