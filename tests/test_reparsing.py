"""Of a repaired text only the statements that changed are parsed, and it is what it is when all of it is parsed."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import libcst as cst
import pytest

from gradlint.analysis.reparsing import repaired_statements
from gradlint.analysis.source import Problem, Source, read_whole
from gradlint.analysis.text_changes import Change, apply
from gradlint.model.names.vocabulary import UNTAUGHT

TEXT = '''\
"""A script."""
import torch; N = 4

# above the first
@decorated
def first(x):
    y = x + 1


class Second:
    def run(self):
        return 2
    # at its end
# below
third = """
not code
"""
'''


def changed(old: str, new: str) -> Change:
    at = TEXT.index(old)
    return Change(at, at + len(old), new)


def added(before: str, new: str) -> Change:
    return Change(TEXT.index(before), TEXT.index(before), new)


def repaired(*changes: Change) -> tuple[list[str], list[str], int]:
    """The statements of the repaired text, those of the plain parse, and how many are those of the text before."""
    source = read_whole(TEXT)
    assert isinstance(source, Source)
    found = repaired_statements(source, TEXT, changes, UNTAUGHT)
    assert not isinstance(found, Problem)
    known = {id(each) for each in source.statements}
    return codes(found), codes(cst.parse_module(apply(TEXT, changes)).body), sum(id(each) in known for each in found)


def codes(statements: Sequence[cst.CSTNode]) -> list[str]:
    """The code of statements, without comments and blank lines: these belong to one statement or the next."""
    return [ast.unparse(ast.parse(cst.Module([each]).code)) for each in statements]  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ((changed("x + 1", "x + 2"),), 4),
        ((changed("N = 4", "N = 8"), changed("not code", "no code")), 3),
        ((added("import torch", "import math\n"),), 3),
        ((added("\n\nclass Second", "    return y\n"),), 3),  # directly behind the last line of a function
        ((added("class Second", "    return y\n"),), 0),  # below blank lines, which look like the next statement's
        ((added("# below", "    def more(self):\n        return 3\n"),), 0),
        ((added("third", "fourth = 4\n"),), 3),
        ((changed("class Second:\n    def run(self):\n        return 2\n", ""),), 3),
        ((changed("@decorated\n", ""), changed("return 2", "return 3"), changed("y = x", "z = x")), 3),
        ((Change(len(TEXT), len(TEXT), "fifth = 5\n"),), 4),
        ((Change(0, 0, "import os\n"),), 4),
    ],
)
def test_a_repaired_text_is_what_it_is_as_a_whole(changes: tuple[Change, ...], shared: int) -> None:
    found, plain, same = repaired(*changes)
    assert found == plain
    assert same >= shared


def test_what_does_not_parse_is_a_problem() -> None:
    source = read_whole(TEXT)
    assert isinstance(repaired_statements(source, TEXT, [changed("x + 1", "x +")], UNTAUGHT), Problem)
