"""One text under every rule: what is found, by both readers, and what each round of the fixer does."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gradlint.analysis.engine import examine
from gradlint.analysis.located import Located
from gradlint.analysis.source import read, read_whole
from gradlint.diagnostic import Diagnostic, Place, TextEdit
from gradlint.fixes.fixer import FixOutcome, fix
from gradlint.registry import all_rules

RULES = tuple(rule for rule in all_rules() if rule.peers is None)
"""The rules about code; the one about suppression comments judges what the others leave."""

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Round:
    """A text as the fixer saw it, the fixes that it applied to it, and how many it could have applied."""

    text: str
    applied: tuple[Diagnostic, ...]
    offered: int


@dataclass(frozen=True, eq=False)
class Trial:
    """A text, and what gradlint makes of it; each question is answered once."""

    text: str

    @cached_property
    def tree(self) -> ast.Module | None:
        return parsed(self.text)

    @cached_property
    def found(self) -> tuple[Located, ...]:
        return examine(self.text, "trial.py", RULES, read)

    @cached_property
    def found_plainly(self) -> tuple[Located, ...]:
        return examine(self.text, "trial.py", RULES, read_whole)

    @cached_property
    def fixed(self) -> tuple[FixOutcome, tuple[Round, ...]]:
        """The outcome of all fixes, and the rounds that led to it."""
        seen: list[tuple[str, tuple[Diagnostic, ...]]] = []

        def everything(text: str, diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
            seen.append((text, diagnostics))
            return diagnostics

        outcome = fix(self.text, "trial.py", RULES, unsafe=True, keep=everything)
        applied = {id(each) for each in outcome.applied}
        rounds = tuple(
            Round(text, tuple(d for d in found if id(d) in applied), sum(d.fix is not None for d in found))
            for text, found in seen
        )
        return outcome, rounds

    @property
    def output(self) -> str:
        return self.fixed[0].text


def parsed(text: str) -> ast.Module | None:
    """The syntax tree as the interpreter sees it; None where it sees none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def line_starts(text: str) -> list[int]:
    """Offsets at which lines begin."""
    return [0, *(match.end() for match in _LINE_END.finditer(text))]


def offset(text: str, place: Place) -> int:
    """The offset of a place, as a program that reads the JSON report would compute it."""
    return line_starts(text)[place.row - 1] + place.column - 1


def edited(text: str, edits: tuple[TextEdit, ...]) -> str:
    """A text with the edits of fixes carried out, from their rows and columns alone."""
    parts, position = [], 0
    for edit in sorted(edits):
        start, end = offset(text, edit.span.start), offset(text, edit.span.end)
        assert position <= start <= end <= len(text), "edits overlap or leave the text"
        parts += [text[position:start], edit.content]
        position = end
    return "".join([*parts, text[position:]])


def comments(text: str) -> Counter[str] | None:
    """Every comment of a text; None where the tokenizer gives up."""
    try:
        tokens = tokenize.generate_tokens(io.StringIO(text, newline=None).readline)
        return Counter(token.string.rstrip() for token in tokens if token.type == tokenize.COMMENT)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None


def strings(tree: ast.AST) -> Counter[object]:
    """Every string of a program by its value."""
    return Counter(
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def same_program(one: str, other: str) -> bool:
    """Whether two texts mean the same to the interpreter."""
    first, second = parsed(one), parsed(other)
    return first is not None and second is not None and ast.dump(first) == ast.dump(second)


def without_names(located: tuple[Located, ...]) -> Counter[tuple[str, str]]:
    """Codes and messages, without what a message quotes from the text."""
    return Counter((each.diagnostic.code, re.sub(r"`[^`]*`", "``", each.diagnostic.message)) for each in located)


def codes(located: tuple[Located, ...]) -> Iterator[str]:
    """The codes of what was found."""
    return (each.diagnostic.code for each in located)
