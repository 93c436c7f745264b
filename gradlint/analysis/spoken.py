"""What the words of a file say against a fix, where nothing else is known: a comment, a setting, a string."""

from __future__ import annotations

import re

_SUMS = re.compile(r"reductions?\W{0,6}(is|of|by)?\W{0,4}sum\b", re.I)
"""`reduction="sum"`, "we use reduction==sum"."""


def doubted_by(code: str, text: str) -> str:
    """Why a fix of a rule is not safe, as the file speaks of what the fix assumes not to be; empty where it does not."""
    if code != "GRD101":
        return ""
    if _SUMS.search(text) is None:
        return ""
    return "the file mentions a sum, and a loss that is a sum over rows needs no division by the accumulation steps"
