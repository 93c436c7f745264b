"""Parses with `ast`, and detects code so deeply nested that LibCST's recursive native parser would crash the process.

The interpreter's own parser refuses deep nesting, but it reads `a and b and c` as one flat node, where LibCST nests. For a text
with a syntax error, it reports only the error.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import sys
import tokenize

DEEPEST = 1000
"""Levels of nesting. LibCST's parser takes about twenty thousand on a stack of 8 MB, and a thread may have an eighth of that."""

MOST_READ = 4_000_000
"""Default limit on the characters of code that are parsed. A tree takes some hundred bytes of memory for each."""

_TRIES = 20
"""How often a text is parsed again."""

_JOINS = re.compile(r"\b(?:and|or)\b")


def parse(text: str, most: int = MOST_READ) -> ast.Module:
    """Like `ast.parse`, but safe before Python 3.11, where deep nesting crashes the process.

    Raises SyntaxError, ValueError, RecursionError or MemoryError for a text that the interpreter cannot read.
    """
    if len(text) > most:
        raise MemoryError("too large to be parsed")
    if sys.version_info < (3, 11) and text_is_deep(text):
        raise RecursionError("nested too deeply")
    for _ in range(_TRIES):
        try:
            return ast.parse(text)
        except SystemError:
            continue  # Python 3.11 counts the nesting of all threads together, and is confused if two of them parse
    return ast.parse(text)


def tree_is_deep(text: str, tree: ast.Module) -> bool:
    """Whether a text that the interpreter has parsed joins more operands with `and` or `or` than LibCST can nest."""
    if (text.count("and") < DEEPEST and text.count("or") < DEEPEST) or len(_JOINS.findall(text)) < DEEPEST:
        return False
    return any(isinstance(node, ast.BoolOp) and len(node.values) > DEEPEST for node in ast.walk(tree))


def text_is_deep(text: str) -> bool:
    """Whether a text that the interpreter cannot parse may be nested too deeply, judged by its tokens.

    Inside brackets, every operator, keyword and string counts as one level until a comma. Every `elif` counts as one until the
    next line without indentation.
    """
    levels, depth, arms = [0], 0, 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline=None).readline):
            if token.type == tokenize.NAME and token.start[1] == 0 and token.string not in ("elif", "else"):
                arms = 0
            if token.type == tokenize.NEWLINE or token.string == ";":
                levels, depth = [0], 0
            elif token.string in ("(", "[", "{"):
                depth += 1
                levels.append(depth)
            elif token.string in (")", "]", "}"):
                depth = levels.pop() if len(levels) > 1 else 0
            elif token.string == ",":
                depth = levels[-1]
            elif token.type in (tokenize.OP, tokenize.STRING) or keyword.iskeyword(token.string):
                depth += 1
                arms += token.string == "elif"
            if max(depth, arms) > DEEPEST:
                return True
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return False
