"""Files that are none, never end, vanish, or are far too large: each is told or left out, and the others are checked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from samples import SAFE, check, script

from gradlint import check_source
from gradlint.files.read import LARGEST
from gradlint.run.runner import run
from gradlint.run.task import Job, Task

LOOP = "for i, batch in enumerate(loader):\n    loss = model(batch)\n    loss.backward()\n"


def lines(*paths: Path) -> list[str]:
    return check("--output-format", "concise", "-q", *paths).stdout.splitlines()


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with a faulty script, which must be found whatever stands beside it."""
    script(tmp_path, SAFE, "z_good.py")
    return tmp_path


def assert_checked(beside: Path) -> list[str]:
    """What is told of the other files."""
    told = lines(beside)
    assert any("z_good.py:8:9: GRD101" in line for line in told)
    return [line for line in told if "z_good" not in line]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(beside: Path) -> None:
    os.mkfifo(beside / "pipe.py")
    assert assert_checked(beside) == []
    (line,) = lines(beside / "pipe.py")
    assert line.endswith("pipe.py:1:1: GRD000 the file cannot be read: it is not a regular file")


def test_a_huge_file_is_not_read(beside: Path) -> None:
    path = beside / "huge.py"
    with path.open("wb") as file:
        file.truncate(4 * 2**30)
    (line,) = assert_checked(beside)
    assert line.endswith(f"huge.py:1:1: GRD000 the file cannot be read: it is larger than {LARGEST // 2**20} MiB")


def test_a_folder_with_the_name_of_a_script(beside: Path) -> None:
    script(beside / "folder.py", SAFE, "inside.py")
    (line,) = assert_checked(beside)
    assert "inside.py:8:9: GRD101" in line
    assert lines(beside / "folder.py") == [line]


def test_links_that_lead_in_a_circle(beside: Path) -> None:
    (beside / "one.py").symlink_to("two.py")
    (beside / "two.py").symlink_to("one.py")
    (beside / "around").symlink_to(beside, target_is_directory=True)
    (beside / "nowhere.py").symlink_to("gone.py")
    assert all("GRD000 the file cannot be read" in line for line in assert_checked(beside))


def test_a_file_that_vanishes_between_finding_and_reading(beside: Path) -> None:
    jobs = [Job(beside / name, Task(), named=True) for name in ("gone.py", "z_good.py")]
    gone, good = run(jobs, workers=1)
    assert [each.message for each in gone.diagnostics] == ["the file cannot be read: No such file or directory"]
    assert [each.code for each in good.diagnostics] == ["GRD101"]


HOSTILE = {
    "many operands": "x = " + "a and " * 30_000 + "a\n",
    "many attributes before an error": "x" + ".y" * 30_000 + "\n(\n",
    "many brackets before an error": "x = " + "(" * 30_000 + "\n",
    "many arms": "if x: pass\n" + "elif x: pass\n" * 3000,
    "many arms before an error": "if x: pass\n" + "elif x: pass\n" * 30_000 + "(\n",
    "many calls": "x" + "()" * 2900 + "\n",
    "many blocks": "".join(" " * depth + "if x:\n" for depth in range(99)) + " " * 99 + "pass\n",
    "too many blocks": "".join(" " * depth + "if x:\n" for depth in range(2000)) + " " * 2000 + "pass\n",
    "many signs before an error": "x = " + "-" * 50_000 + "1\nprint 'x'\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_depth_ends_no_process(name: str) -> None:
    """In a process of its own, as a parser that overflows its stack takes the tests with it."""
    code = "import sys; from gradlint import check_source; print(*{d.code for d in check_source(sys.stdin.read())})"
    done = subprocess.run([sys.executable, "-c", code], input=LOOP + HOSTILE[name], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "") and set(done.stdout.split()) <= {"GRD000"}


def test_long_lines_and_many_lines() -> None:
    for text in (f"x = [{'1, ' * 300_000}]\n", "x = 1\n" * 3000, f"x = '{'a' * 1_000_000}'\n", f"# {'a' * 1_000_000}\n"):
        assert {each.code for each in check_source(text + SAFE)} == {"GRD101"}
