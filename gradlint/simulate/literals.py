"""The values of literals, as far as a run has to know them."""

from __future__ import annotations

import ast
import re
from typing import Any

_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_PLAIN_STRING = re.compile(r"'[^'\\\n\r]*'|\"[^\"\\\n\r]*\"")
"""Numbers and strings that are written as they are: to ask Python's own parser takes long."""

_LONGEST = 10_000
"""Characters of a literal whose value may matter."""


def value_of(text: str) -> Any:
    """The value of a number or a string; an empty one for what is too long, a large one for a number that is too large."""
    if _PLAIN_NUMBER.fullmatch(text):
        return int(text)
    if len(text) >= _LONGEST:
        return ""
    if _PLAIN_STRING.fullmatch(text):
        return text[1:-1]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    if isinstance(value, complex):
        return 0.0
    return 1 << 40 if isinstance(value, int) and value.bit_length() > 80 else value
