"""Fixes that change several files: applied in all of them or in none, and safe only if all of them are checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import FIXTURES, read_marked
from two_files import SCALING, TWICE

from gradlint.files.write import NewContent, Unwritten, write_all

HELPER = FIXTURES / "repositories" / "helper_without_steps"
FIXED = {name: (HELPER / f"{name}.fixed").read_text() for name in ("losses.py", "engine.py")}


@pytest.fixture
def helper(tmp_path: Path) -> Path:
    """A helper that backpropagates without a name for N, its caller, and a main program."""
    for path in HELPER.iterdir():
        if path.suffix != ".fixed":
            (tmp_path / path.name).write_text(read_marked(path.read_text()).source if path.suffix == ".py" else path.read_text())
    return tmp_path


def gradlint_(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gradlint", "check", "--isolated", "--no-cache", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.py")}


def test_a_fix_changes_both_files(helper: Path) -> None:
    main = (helper / "main.py").read_text()
    result = gradlint_("--fix", ".", cwd=helper)
    assert result.returncode == 0 and "(1 fixed, 0 remaining)" in result.stdout
    assert texts(helper) == {**FIXED, "main.py": main}
    assert gradlint_(".", cwd=helper).returncode == 0


def test_the_fix_is_unsafe_if_only_one_file_is_named(helper: Path) -> None:
    before = texts(helper)
    result = gradlint_("--fix", "losses.py", cwd=helper)
    assert "it also changes `engine.py`, which is not among the files to check" in result.stdout
    assert texts(helper) == before
    gradlint_("--fix", "--unsafe-fixes", "losses.py", cwd=helper)
    assert texts(helper) == {**FIXED, "main.py": before["main.py"]}


@pytest.mark.parametrize("use", ["backpropagate(model, inputs, targets)", "register(backpropagate)"])
def test_a_function_that_another_file_uses_keeps_its_parameters(helper: Path, use: str) -> None:
    (helper / "tune.py").write_text(f"from losses import backpropagate\n\n{use}\n")
    before = texts(helper)
    result = gradlint_("--fix", "--unsafe-fixes", ".", cwd=helper)
    assert "gradlint offers no fix" in result.stdout
    assert texts(helper) == before


def test_the_report_shows_the_change_of_each_file(helper: Path) -> None:
    told = gradlint_(".", cwd=helper).stdout
    assert "::: engine.py" in told and "(model, inputs, targets, steps).item()" in told
    diff = gradlint_("--diff", ".", cwd=helper)
    assert [line for line in diff.stdout.splitlines() if line.startswith("+++")] == ["+++ b/engine.py", "+++ b/losses.py"]
    assert "Would fix 1 error" in diff.stderr


def test_machine_formats_name_the_other_file(helper: Path) -> None:
    (found,) = json.loads(gradlint_("--output-format", "json", ".", cwd=helper).stdout)
    edits = found["fix"]["edits"]
    assert found["filename"] == str(helper / "losses.py")
    assert {each.get("filename") for each in edits} == {None, str(helper / "engine.py")}
    (run,) = json.loads(gradlint_("--output-format", "sarif", ".", cwd=helper).stdout)["runs"]
    (fix,) = run["results"][0]["fixes"]
    changed = [each["artifactLocation"]["uri"] for each in fix["artifactChanges"]]
    assert changed == ["losses.py", "engine.py"]


def test_a_fix_may_change_only_another_file(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "scaling.py").write_text(SCALING)
    (tmp_path / "engine.py").write_text(TWICE)
    result = gradlint_("--fix", ".", cwd=tmp_path)
    assert "(1 fixed, 0 remaining)" in result.stdout
    assert texts(tmp_path) == {"engine.py": TWICE, "scaling.py": SCALING.replace("loss / steps", "loss")}


def two(folder: Path) -> list[NewContent]:
    for name in "ab":
        (folder / f"{name}.py").write_text("old")
    return [NewContent(folder / f"{name}.py", b"new", b"old") for name in "ab"]


def test_all_files_are_written(tmp_path: Path) -> None:
    write_all(two(tmp_path))
    assert texts(tmp_path) == {"a.py": "new", "b.py": "new"} and len(os.listdir(tmp_path)) == 2


def test_no_file_is_written_if_one_changed(tmp_path: Path) -> None:
    changes = two(tmp_path)
    (tmp_path / "b.py").write_text("other")
    with pytest.raises(Unwritten, match="changed in the meantime") as raised:
        write_all(changes)
    assert raised.value.path.name == "b.py"
    assert texts(tmp_path) == {"a.py": "old", "b.py": "other"} and len(os.listdir(tmp_path)) == 2


def test_no_file_is_written_if_one_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = two(tmp_path)
    monkeypatch.setattr("gradlint.files.write.os.access", lambda path, _: Path(path).name != "b.py")
    with pytest.raises(Unwritten, match="denied"):
        write_all(changes)
    assert texts(tmp_path) == {"a.py": "old", "b.py": "old"} and len(os.listdir(tmp_path)) == 2


def test_a_file_gets_its_old_content_back_if_a_later_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, really = two(tmp_path), os.replace

    def refusing(source: str, target: Path) -> None:
        if target.name == "b.py":
            raise OSError(28, "No space left on device")
        really(source, target)

    monkeypatch.setattr("gradlint.files.write.os.replace", refusing)
    with pytest.raises(Unwritten, match="No space left"):
        write_all(changes)
    assert texts(tmp_path) == {"a.py": "old", "b.py": "old"} and len(os.listdir(tmp_path)) == 2
