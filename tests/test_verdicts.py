"""Every training loop has an answer: `# verdict:` comments say which, at the line of the loop or function."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import FIXTURES

from gradlint import judge_source

_VERDICT = re.compile(r"  # verdict: (.+)$", re.M)


@pytest.mark.parametrize("path", sorted((FIXTURES / "verdicts").glob("*.py")), ids=lambda path: path.stem)
def test_each_loop_has_its_answer(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    wanted = {row: found.group(1) for row, line in enumerate(text.split("\n"), 1) if (found := _VERDICT.search(line))}
    assert wanted
    told = {each.line: each.words.partition(": in every")[0] for each in judge_source(text, select=["ALL"])}
    assert told == wanted
