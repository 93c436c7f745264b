"""`--watch`: what changed is checked, the whole is reported, and Ctrl-C ends it in peace."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from samples import CLEAN, SAFE, check, run, script

from gradlint.cli.watch import Watched
from gradlint.run.runner import run as run_jobs
from gradlint.run.task import FileResult, Job, Task

pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")


# What is checked anew


class Checker:
    """Notes which files it is given."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def __call__(self, jobs: Sequence[Job]) -> Iterator[FileResult]:
        self.seen.append([job.path.name for job in jobs])
        return (FileResult(str(job.path), text=job.path.read_text() if job.path.exists() else "gone") for job in jobs)


def jobs(folder: Path, task: Task | None = None) -> list[Job]:
    return [Job(path, task or Task()) for path in sorted(folder.glob("*.py"))]


def touch(path: Path, text: str) -> None:
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_only_what_changed_is_checked_and_the_whole_is_told(tmp_path: Path) -> None:
    for name in "abc":
        script(tmp_path, "1\n", f"{name}.py")
    checker = Checker()
    watched = Watched(checker)
    assert len(watched.update(jobs(tmp_path)) or ()) == 3
    assert watched.update(jobs(tmp_path)) is None
    touch(tmp_path / "b.py", "2\n")
    assert [each.text for each in watched.update(jobs(tmp_path)) or ()] == ["1\n", "2\n", "1\n"]
    assert checker.seen == [["a.py", "b.py", "c.py"], ["b.py"]]


def test_a_change_in_what_a_file_imports_checks_it_anew(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").touch()
    script(tmp_path, SAFE.replace("import torch", "import torch\nimport helpers", 1), "train.py")
    script(tmp_path, "def helper():\n    pass\n", "helpers.py")
    watched = Watched(lambda jobs: run_jobs(jobs, workers=1))
    assert watched.update(jobs(tmp_path))
    assert watched.update(jobs(tmp_path)) is None
    checker = Checker()
    watched.check = checker
    touch(tmp_path / "helpers.py", "def helper():\n    return 1\n")
    watched.update(jobs(tmp_path))
    assert checker.seen == [["helpers.py", "train.py"]]


def test_files_come_and_go(tmp_path: Path) -> None:
    for name in "ab":
        script(tmp_path, "1\n", f"{name}.py")
    checker = Checker()
    watched = Watched(checker)
    watched.update(jobs(tmp_path))
    (tmp_path / "a.py").unlink()
    script(tmp_path, "3\n", "c.py")
    assert [Path(each.path).name for each in watched.update(jobs(tmp_path)) or ()] == ["b.py", "c.py"]
    assert checker.seen[1:] == [["c.py"]]
    listed = jobs(tmp_path)
    (tmp_path / "c.py").unlink()  # between the listing and the check
    assert len(watched.update(listed) or ()) == 2
    (tmp_path / "b.py").unlink()
    assert watched.update([]) == [] and watched.update([]) is None


def test_new_settings_check_everything_anew(tmp_path: Path) -> None:
    script(tmp_path, "1\n", "a.py")
    checker = Checker()
    watched = Watched(checker)
    watched.update(jobs(tmp_path))
    assert watched.update(jobs(tmp_path, Task(unsafe=True))) is not None
    assert checker.seen == [["a.py"], ["a.py"]]


def test_what_was_fixed_is_told_once(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE)
    watched = Watched(lambda jobs: run_jobs(jobs, 1))
    first = (watched.update(jobs(tmp_path, Task(fix=True))) or [])[0]
    assert first.applied and first.after is not None
    path.write_bytes(first.after)
    watched.settle()
    assert watched.update(jobs(tmp_path, Task(fix=True))) is None
    script(tmp_path, CLEAN, "other.py")
    assert not [each for each in watched.update(jobs(tmp_path, Task(fix=True))) or () if each.applied or each.after]
    touch(path, SAFE)
    assert [each for each in watched.update(jobs(tmp_path, Task(fix=True))) or () if each.applied]


# The process


class Reader:
    """What a process has written so far, as one text."""

    def __init__(self, read: Callable[[], str]) -> None:
        self.text = ""
        self._read = read
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        while True:
            try:
                data = self._read()
            except OSError:
                return
            if not data:
                return
            self.text += data

    def wait_for(self, words: str, count: int = 1) -> str:
        """The text once it holds the words so many times; fails after a minute."""
        deadline = time.monotonic() + 60
        while self.text.count(words) < count:
            assert time.monotonic() < deadline, f"no {words!r} ({count}) in:\n{self.text}"
            time.sleep(0.02)
        return self.text


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[subprocess.Popen[str], Reader]]]:
    """Starts `gradlint check --watch` with both outputs in one pipe."""
    children: list[subprocess.Popen[str]] = []

    def start(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], Reader]:
        command = [sys.executable, "-m", "gradlint", "check", "--watch", "--output-format", "concise", *arguments]
        child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        children.append(child)
        assert child.stdout is not None
        pipe = child.stdout
        return child, Reader(pipe.readline)

    yield start
    for child in children:
        child.kill()
        child.wait()


WATCHING = "Watching for changes. Press Ctrl-C to stop.\n"


def test_a_process_reports_anew(tmp_path: Path, started: Callable[..., tuple[subprocess.Popen[str], Reader]]) -> None:
    script(tmp_path, SAFE, "a.py")
    script(tmp_path, CLEAN, "b.py")
    script(tmp_path, SAFE, "out/c.py")
    (tmp_path / "gradlint.toml").write_text('extend-exclude = ["out"]\n')
    child, reader = started(tmp_path)
    first = reader.wait_for(WATCHING)
    assert first.count("GRD101") == 1 and "a.py:8:9: GRD101" in first and "\x1b" not in first
    (tmp_path / "b.py").write_text(SAFE)
    second = reader.wait_for(WATCHING, 2)[len(first) :]
    assert "a.py:8:9: GRD101" in second and "b.py:8:9: GRD101" in second and "Found 2 errors." in second
    (tmp_path / "a.py").unlink()
    third = reader.wait_for(WATCHING, 3)[len(first) + len(second) :]
    assert "Found 1 error." in third and "a.py" not in third
    (tmp_path / "gradlint.toml").write_text("select = 3\n")
    reader.wait_for("must be a list of strings")
    (tmp_path / "gradlint.toml").write_text('ignore = ["GRD1"]\nextend-exclude = ["out"]\n')
    assert "All checks passed!" in reader.wait_for("All checks passed!")
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 0
    assert "Traceback" not in reader.text


def test_a_named_file_is_followed_through_replacements(
    tmp_path: Path, started: Callable[..., tuple[subprocess.Popen[str], Reader]]
) -> None:
    path = script(tmp_path, SAFE)
    child, reader = started(tmp_path, "--isolated", "train.py")
    reader.wait_for(WATCHING)
    for number, text in enumerate((CLEAN, SAFE), 2):
        other = script(tmp_path, text, "train.py.new")
        os.replace(other, path)
        reader.wait_for(WATCHING, number)
    assert reader.text.count("GRD101") == 2 and reader.text.count("All checks passed!") == 1
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 0


def test_a_terminal_is_cleared(tmp_path: Path) -> None:
    script(tmp_path, SAFE)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gradlint", "check", "--watch", str(tmp_path)]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    reader = Reader(lambda: os.read(ours, 4096).decode(errors="replace"))
    try:
        assert "\x1b[2J" in reader.wait_for("Press Ctrl-C to stop.").split("GRD101")[0]
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def test_bad_starts_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path)
    assert check("--watch", "--diff", path).stderr == "error: --watch cannot be used with --diff\n"
    assert run("check", "--watch", "-").stderr == "error: --watch cannot be used with stdin\n"
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    result = check("--watch", path)
    assert result.exit_code == 2
    assert result.stderr == "error: --watch needs watchfiles: pip install 'torch-gradlint[watch]'\n"
