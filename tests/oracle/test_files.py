"""A program that is split over two files shows what it shows in one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("torch", reason="the programs train under PyTorch: install the extra `proof`")

from gradlint.run.runner import process
from gradlint.run.task import FileResult, Task

from .wild.draw import plans
from .wild.files import split
from .wild.frames import source

PROGRAMS = 200
"""Programs that are drawn; one in seven has a definition that needs nothing of the rest."""

AT_THE_DIVISION = "GRD103"
"""Points at a division, which may stand in a file that trains nothing."""

SPLIT = [
    (text, parts) for number, plan in enumerate(plans(12, PROGRAMS)) if (parts := split(text := source(plan), Random(number)))
]


def codes(*results: FileResult) -> Counter[str]:
    assert not any(each.crash for each in results)
    return Counter(found.code for each in results for found in each.diagnostics if found.code != AT_THE_DIVISION)


@pytest.mark.parametrize(("text", "parts"), SPLIT, ids=range(len(SPLIT)))
def test_the_same_is_found_in_two_files(text: str, parts: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").touch()
    files = [tmp_path / "main.py", tmp_path / "parts.py"]
    for path, content in zip(files, parts, strict=True):
        path.write_text(content)
    whole = codes(process("train.py", text.encode(), Task(follow=False)))
    assert codes(*(process(str(path), path.read_bytes(), Task()) for path in files)) == whole
