"""Branches and patches for pull requests."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from repositories import WRONG, git, repository

from gradlint.organisation.command import commands


def test_branches_and_patches(tmp_path: Path) -> None:
    wrong = repository(tmp_path / "team" / "wrong")
    right = repository(tmp_path / "team" / "right", {"a.py": "x = 1\n"})
    listed = tmp_path / "list.txt"
    listed.write_text(f"{wrong}\n{right}\n{tmp_path}/missing\n")
    out = tmp_path / "out"
    done = CliRunner().invoke(commands, ["branches", str(listed), "-o", str(out)], catch_exceptions=False)
    patch = out / "team-wrong.patch"
    first, second, third = done.output.splitlines()
    assert (first, second) == (str(patch), f"nothing to fix in {right}") and third.startswith(f"failed: {tmp_path}/missing: ")
    assert sorted(each.name for each in out.iterdir()) == ["team-wrong", "team-wrong.patch"]
    assert git(out / "team-wrong", "rev-parse", "--abbrev-ref", "HEAD") == "gradlint-safe-fixes"
    assert (wrong / "train.py").read_text() == WRONG
    git(wrong, "am", "--quiet", str(patch))
    assert (wrong / "train.py").read_text() == WRONG.replace("loss.backward()", "(loss / accum_steps).backward()")
