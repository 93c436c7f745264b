"""LibCST's classes are made without methods that they throw away, and are otherwise as LibCST makes them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import dataclass

import pytest

from gradlint.run.parser_import import lean_data_classes

CHECKED = """
import dataclasses
usual = dataclasses.dataclass
from gradlint.run.parser_import import import_parser
import_parser()
import libcst as cst
from libcst.metadata import CodePosition
assert dataclasses.dataclass is usual
assert cst.Name("a") != cst.Name("a") and cst.Name("a").deep_equals(cst.Name("a")) and "value='a'" in repr(cst.Name("a"))
assert len({cst.Name("a"), cst.Name("a")}) == 2
assert CodePosition(1, 2) == CodePosition(1, 2) and "line=1" in repr(CodePosition(1, 2))
try:
    cst.Name("a").value = "b"
except dataclasses.FrozenInstanceError:
    print("as usual")
"""


def test_nodes_are_compared_shown_and_frozen_as_usual() -> None:
    done = subprocess.run([sys.executable, "-c", CHECKED], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("as usual\n", "")


def test_only_what_a_class_lacks_is_made() -> None:
    with lean_data_classes():

        @dataclasses.dataclass(frozen=True)
        class Own:
            value: int

            def __eq__(self, other: object) -> bool:
                return self is other

            def __hash__(self) -> int:
                return 7

            def __repr__(self) -> str:
                return "own"

        @dataclasses.dataclass
        class Plain:
            value: int

    assert dataclasses.dataclass is dataclass
    assert Own(1) != Own(1) and hash(Own(1)) == 7 and repr(Own(1)) == "own"
    assert not Own.__dataclass_params__.repr and not Own.__dataclass_params__.eq  # type: ignore[attr-defined]
    assert Plain(1) == Plain(1) and "value=1" in repr(Plain(1))


def test_the_usual_decorator_is_back_after_an_error() -> None:
    with pytest.raises(ImportError), lean_data_classes():
        raise ImportError
    assert dataclasses.dataclass is dataclass
