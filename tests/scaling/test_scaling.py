"""Twice the code costs about twice the work, whatever its shape: function calls are counted, not seconds."""

from __future__ import annotations

import ast
import sys
from math import log2
from types import FrameType

import pytest
from scaling.shapes import SHAPES

from gradlint import check_source

SIZES = (4, 8, 16, 32)
STEEPEST = 1.2
STEEPER = frozenset(("ladder of boundaries", "inner loops", "nested try", "all to all", "clips", "backward passes"))
"""Shapes that cost more than in proportion until the budget ends it; for them the bound alone holds."""
MOST_CALLS = 12_000_000
"""Calls after which every text is done, or given up: some two seconds."""


def calls(text: str) -> int:
    """How many functions of gradlint and its libraries a check calls."""
    count = 0

    def counted(frame: FrameType, event: str, given: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(counted)
    try:
        check_source(text)
    finally:
        sys.setprofile(None)
    return count


def test_there_are_many_shapes_and_all_are_python() -> None:
    assert len(SHAPES) >= 80
    for shape in SHAPES.values():
        for size in (1, *SIZES):
            ast.parse(shape(size))


@pytest.mark.parametrize("name", SHAPES)
def test_the_work_grows_as_the_text_does(name: str) -> None:
    shape = SHAPES[name]
    check_source(shape(1))  # what is imported and computed once
    none = calls(shape(1))
    spent = [calls(shape(size)) - none for size in (SIZES[0], SIZES[-1])]
    assert max(spent) + none <= MOST_CALLS
    grown = max(spent[-1], 1) / max(spent[0], 1)
    steepness = log2(grown) / log2(SIZES[-1] / SIZES[0])
    assert name in STEEPER or steepness <= STEEPEST or spent[-1] < none, f"{spent}: n to the power of {steepness:.2f}"
