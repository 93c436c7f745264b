"""Finds texts without a backward pass that may take part in training with another file, and then contain a fault."""

from __future__ import annotations

import re

from gradlint.relevance.needed_words import BACKWARD, PART, SCHEDULE

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


def may_update(text: str) -> bool:
    """Whether a text updates weights or clears gradients, but leaves the backward pass to another file."""
    data = text.encode("utf-8", "surrogatepass")
    return PART.shows(data) and not BACKWARD.shows(data)


def takes_part(text: str) -> bool:
    """Whether a text has a backward pass or a part of an update, so that gradlint reports faults in it."""
    data = text.encode("utf-8", "surrogatepass")
    return BACKWARD.shows(data) or PART.shows(data)
