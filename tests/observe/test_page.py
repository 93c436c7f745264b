"""docs/observe.md: its run prints what it shows, its commands run, and its sentences are those of the code."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from watched import ROOT

PAGE = (ROOT / "docs" / "observe.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.M | re.S)
_SAID = re.compile(r"^\| [^|]+ \| ([A-Z0-9][^|]+\.) \|$", re.M)


def bodies(wanted: str) -> list[str]:
    return [body for language, _, body in _BLOCK.findall(PAGE) if language == wanted]


def run(line: str, folder: Path) -> str:
    """What a command of the page prints, on both streams."""
    program, *arguments = (sys.executable if each == "python" else each for each in shlex.split(line, comments=True))
    assert program == "gradlint"
    (folder / "train.py").write_text(bodies("python")[0], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "gradlint", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_what_is_shown_is_what_is_printed(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (shown,) = bodies("console")
    command, _, printed = shown.partition("\n")
    assert run(command.removeprefix("$ "), tmp_path) == printed


@pytest.mark.parametrize("line", bodies("sh")[0].splitlines())
def test_commands_run(line: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    printed = run(line, tmp_path)
    report = (tmp_path / "report.txt").read_text("utf-8") if "-o" in line else printed
    assert "error[GRD101]" in report
    assert ("epoch 1" in printed) is ("--stop" not in line)


def patterns(module: Path) -> list[str]:
    """The sentences of a module, as patterns with a gap for each value."""
    found = []
    for each in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        parts = each.values if isinstance(each, ast.JoinedStr) else [each]
        texts = [
            re.escape(part.value) if isinstance(part, ast.Constant) and isinstance(part.value, str) else ".*" for part in parts
        ]
        if len("".join(texts)) > 30:
            found.append("".join(texts))
    return found


def test_sentences_are_those_of_the_code() -> None:
    known = patterns(ROOT / "gradlint" / "observe" / "sentences.py")
    said = _SAID.findall(PAGE)
    assert len(said) == 14
    for sentence in said:
        assert any(re.fullmatch(each, sentence) for each in known), sentence
