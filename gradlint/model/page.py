"""The whole text of a file, of which the statements that the model is built from may be a part."""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

_WORD = re.compile(r"[^\W\d]\w*")
_DEFINES = frozenset({"def", "class"})


@dataclass(frozen=True, eq=False)
class Page:
    """A text, and where the nodes of the model stand in it.

    Who reads a name or calls a function may stand where nothing else matters: such questions are asked of the text.
    """

    text: str
    row_of: Callable[[cst.CSTNode], int | None]

    @cached_property
    def _reads(self) -> Counter[str] | None:
        """How often each name stands where it may be read, in f-strings too; None for what has no tokens."""
        found: Counter[str] = Counter()
        before = ""
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(self.text).readline))
        except (tokenize.TokenError, SyntaxError, ValueError):
            return None
        for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                found[token.string] += before not in _DEFINES and after.string != "="
            elif token.type == tokenize.STRING and "f" in token.string[:2].lower():
                found.update(_WORD.findall(token.string))
            before = token.string
        return found

    def reads(self, name: str) -> int | None:
        """How often a name may be read, other than where it is given a value; None where that is not known."""
        return None if self._reads is None else self._reads[name]

    def at(self, node: cst.CSTNode) -> str:
        """` on line 7`, or nothing for what stands on no line."""
        row = self.row_of(node)
        return f" on line {row}" if row is not None else ""


BLANK = Page("", lambda _: None)
"""No text."""
