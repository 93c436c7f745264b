"""The full text of a file. The model may be built from only some of its statements."""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

_WORD = re.compile(r"[^\W\d]\w*")
_DEFINES = frozenset({"def", "class"})


@dataclass(frozen=True, eq=False)
class Page:
    """A text, and the rows of the model's nodes in it.

    Code that reads a name or calls a function may be in a part that is otherwise irrelevant, so such questions search the full
    text.
    """

    text: str
    row_of: Callable[[cst.CSTNode], int | None]

    @cached_property
    def _reads(self) -> dict[str, Counter[str]] | None:
        """How often each name may be read, by the word before its dot. None if the text cannot be tokenised."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(self.text).readline))
        except (tokenize.TokenError, SyntaxError, ValueError):
            return None
        words = [each.string for each in tokens]
        for place, token in enumerate(tokens):
            before, after = words[place - 1] if place else "", words[place + 1] if place + 1 < len(words) else ""
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                owner = (words[place - 2] if place > 1 else "?") if before == "." else ""
                found[token.string][owner] += before not in _DEFINES and after != "="
            elif token.type == tokenize.STRING and "f" in token.string[:2].lower():
                for word in _WORD.findall(token.string):
                    found[word]["" if f".{word}" not in token.string else "?"] += 1
        return dict(found)

    def reads(self, name: str) -> Counter[str] | None:
        """How often a name may be read, rather than assigned, by the word before its dot.

        The key of a bare name is an empty string. Returns None if nothing is known about any name.
        """
        return None if self._reads is None else self._reads.get(name, Counter())

    @cached_property
    def bound(self) -> Counter[str]:
        """How often each name of the text, or `.name` of an object in it, is bound. Empty if the text does not parse."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                nodes = list(ast.walk(ast.parse(self.text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Counter()
        return Counter(name for node in nodes for name in _bound_by(node))

    def changed_items(self, name: str) -> frozenset[str] | None:
        """The literal keys of a named dictionary that are assigned later, or None if any item may change."""
        if re.search(
            rf"\b{name}\s*\.\s*(update|pop|popitem|setdefault|clear|__setitem__)\b|\b{name}\s*\|=|\bdel\s+{name}\b", self.text
        ):
            return None
        changes = re.findall(rf"\b{name}\s*\[\s*([^\]\n]*?)\s*\][^=\n]*?(?<![=!<>])=(?!=)", self.text)
        keys = [re.fullmatch(r"[\"'](\w+)[\"']", each) for each in changes]
        return frozenset(key[1] for key in keys if key is not None) if all(keys) else None

    def refuses(self, method: str, keyword: str) -> str | None:
        """The header of a method that does not take a keyword, on one line. None if the file has no such method."""
        heads = re.finditer(rf"^[ \t]+def[ \t]+{method}[ \t]*\(([^)]*)\)", self.text, re.M)
        found = (head for head in heads if "**" not in head[1] and keyword not in head[1])
        return next((" ".join(head[0].split()) for head in found), None)

    def at(self, node: cst.CSTNode) -> str:
        """Return ` on line 7`, or nothing if the node has no line."""
        row = self.row_of(node)
        return f" on line {row}" if row is not None else ""


def _bound_by(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return () if isinstance(node.ctx, ast.Load) else (node.id,)
    if isinstance(node, ast.Attribute):
        return () if isinstance(node.ctx, ast.Load) else (f".{node.attr}",)
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return tuple(each.asname or each.name.partition(".")[0] for each in node.names)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return (node.name,)
    if isinstance(node, ast.arg):
        return (node.arg,)
    return tuple(node.names) if isinstance(node, (ast.Global, ast.Nonlocal)) else ()


BLANK = Page("", lambda _: None)
"""A page without text."""
