"""Looks for words in a file that argue against a fix, in a comment, a setting or a string."""

from __future__ import annotations

import re

_SUMS = re.compile(r"reductions?\W{0,6}(is|of|by)?\W{0,4}sum\b", re.I)
"""Matches `reduction="sum"` and "we use reduction==sum"."""


def doubted_by(code: str, text: str) -> str:
    """Why a fix is not safe, if the file mentions something the fix assumes is absent. Empty otherwise."""
    if code != "GRD101":
        return ""
    if _SUMS.search(text) is None:
        return ""
    return "the file mentions a sum, and a loss that is a sum over rows needs no division by the accumulation steps"
