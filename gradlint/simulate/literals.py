"""The values of literals, to the extent that a run needs them."""

from __future__ import annotations

import ast
import re
from typing import Any

_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_PLAIN_STRING = re.compile(r"'[^'\\\n\r]*'|\"[^\"\\\n\r]*\"")
"""Numbers and strings that need no parsing: Python's own parser is slow."""

_LONGEST = 10_000
"""How long a literal may be for its value to matter."""


def value_of(text: str) -> Any:
    """The value of a number or a string. Literals that are too long become empty strings, and huge numbers become a large one."""
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
