"""Repositories of several files: what each file is told that only the others show, and what keeps following in bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FIXTURES, difference, read_marked

from gradlint.config.selection import Layer, Selection
from gradlint.run.runner import process
from gradlint.run.task import FileResult, Task

EVERYTHING = Selection((Layer(select=("ALL",)),))
REPOSITORIES = sorted(path for path in (FIXTURES / "repositories").iterdir() if path.is_dir())


def checked(path: Path, **given: bool) -> FileResult:
    return process(str(path), path.read_bytes(), Task(EVERYTHING, **given))


def unmarked(source: Path, target: Path) -> dict[Path, frozenset[tuple[int, str]]]:
    """Copy a repository without its markers, and say what each file expects."""
    expected = {}
    for path in source.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            marked = read_marked(path.read_text(encoding="utf-8"))
            place.write_text(marked.source, encoding="utf-8")
            if path.suffix == ".py":
                expected[place] = marked.expected
    return expected


@pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda path: path.name)
def test_markers_are_met(repository: Path, tmp_path: Path) -> None:
    for path, expected in unmarked(repository, tmp_path).items():
        result = checked(path)
        assert result.crash is None
        assert difference(path.read_text(encoding="utf-8"), result.diagnostics, expected) == "", path
