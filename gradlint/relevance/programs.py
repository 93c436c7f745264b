"""Finds texts without a training loop that may lead to one in another file, and then contain a fault."""

from __future__ import annotations

import re

from gradlint.relevance.needed_words import BACKWARD, SCHEDULE

_BUILT = re.compile(r"(?<!def )(?<!class )\b(\w*LR|\w+_with_warmup|get_scheduler)\(")
_IMPORTS = re.compile(r"^\s*(from|import)\s", re.M)
_RUNS = re.compile(r"^(for|while|with|if\s+__name__)\b|\bdef main\b", re.M)
"""Code that a program runs, rather than only defines for import."""


def may_lead(text: str) -> bool:
    """Whether a text is a program that builds a schedule but trains nothing itself."""
    data = text.encode("utf-8", "surrogatepass")
    return (
        SCHEDULE.shows(data)
        and _BUILT.search(text) is not None
        and not BACKWARD.shows(data)
        and _RUNS.search(text) is not None
        and _IMPORTS.search(text) is not None
    )
