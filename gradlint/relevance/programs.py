"""Which texts without a training loop may lead to one in another file, and hold what that shows to be wrong."""

from __future__ import annotations

import re

from gradlint.relevance.needed_words import BACKWARD, SCHEDULE

_IMPORTS = re.compile(r"^\s*(from|import)\s", re.M)


def may_lead(text: str) -> bool:
    """Whether a text builds a schedule, and trains nothing itself."""
    data = text.encode("utf-8", "surrogatepass")
    return SCHEDULE.shows(data) and not BACKWARD.shows(data) and _IMPORTS.search(text) is not None
