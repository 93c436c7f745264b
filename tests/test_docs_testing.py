"""The page on testing, and the README's section: their tests pass, and fail with the words that they show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from blocks import blocks
from harness import ROOT
from samples import run

PAGE = ROOT / "docs" / "testing.md"
README = ROOT / "README.md"


def files(page: Path) -> dict[str, str]:
    return {each.title: each.body for each in blocks(page.read_text(encoding="utf-8")) if each.title}


def printed(folder: Path, program: str, test: str) -> str:
    """What pytest says of a program: the lines that it marks with E, or nothing if the test passes."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    (folder / "train.py").write_text(program)
    (folder / "test_train.py").write_text(test)
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_train.py"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""}, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("E  ")]
    assert bool(lines) == bool(done.returncode), done.stdout
    return "\n".join(lines) + "\n" if lines else ""


def test_readme(tmp_path: Path) -> None:
    """The README shows the failure before the fix. After the fix, the test passes."""
    shown = files(README)
    (failure,) = [
        each.body
        for each in blocks(README.read_text(encoding="utf-8"))
        if each.language == "text" and "AccumulationMismatch" in each.body
    ]
    assert printed(tmp_path, shown["train.py"], shown["test_train.py"]) == failure
    assert run("check", "--isolated", "--fix", str(tmp_path / "train.py")).exit_code == 0
    assert printed(tmp_path, (tmp_path / "train.py").read_text(), shown["test_train.py"]) == ""


def rows() -> list[tuple[str, str, str]]:
    table = re.findall(r"^\| (`.+?`) \| (`.+?`|nothing) \| (.*?) ?\|$", PAGE.read_text(encoding="utf-8"), re.M)
    return [(old.strip("`"), "" if new == "nothing" else new.strip("`"), said) for old, new, said in table]


def said_of(program: str, test: str) -> str:
    """What the one test of a page says of a program, as Python shows it; nothing if it passes."""
    from gradlint.testing import AccumulationMismatch

    names: dict[str, Any] = {}
    exec(program, names)
    exec(test.replace("from train import train\n", ""), names)
    try:
        names["test_accumulation"]()
    except AccumulationMismatch as error:
        return f"gradlint.testing.AccumulationMismatch: {error}\n"
    return ""


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_the_table_of_testing() -> None:
    """Each row of the page is a change of its program, and what its test says then."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    shown, found = files(PAGE), rows()
    assert len(found) >= 8 and said_of(shown["train.py"], shown["test_train.py"]) == ""
    for old, new, said in found:
        assert shown["train.py"].count(old) == 1, old
        report = said_of(shown["train.py"].replace(old, new), shown["test_train.py"])
        assert said == report.splitlines()[1].strip(), old
    (failure,) = [each.body for each in blocks(PAGE.read_text(encoding="utf-8")) if each.language == "text"]
    changed = shown["train.py"].replace("loss.backward()", "optimizer.zero_grad(); loss.backward()")
    assert said_of(changed, shown["test_train.py"]) == failure
