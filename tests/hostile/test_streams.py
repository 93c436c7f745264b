"""A terminal, a log and a shell: what they are told, whatever names of files and code hold, and how a run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from samples import SAFE, check, script

POSIX = pytest.mark.skipif(os.name != "posix", reason="the shell is one of POSIX")


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = command.replace("gradlint", f"{sys.executable} -m gradlint")
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120)


@POSIX
@pytest.mark.parametrize("command", ["check train.py", "check --fix train.py", "rules", "rule GRD101", "show train.py"])
@pytest.mark.parametrize("stdout", [">&-", ">/dev/full"])
def test_a_stdout_that_takes_nothing_is_told_of_once(tmp_path: Path, command: str, stdout: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    script(tmp_path, SAFE)
    done = shell(f"gradlint {command} {stdout}", tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("error: stdout: cannot be written: ")
    assert done.stderr.count("\n") == 1


@POSIX
@pytest.mark.parametrize(
    "command", ["check train.py", "check --diff train.py", "check --output-format json train.py", "show train.py", "rule GRD101"]
)
def test_a_reader_that_has_seen_enough_ends_the_run_quietly(tmp_path: Path, command: str) -> None:
    script(tmp_path, SAFE)
    done = shell(f"{{ gradlint {command}; echo $? >&2; }} | true", tmp_path)
    assert (done.stdout, done.stderr) == ("", "0\n")


@POSIX
@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_other_streams_may_be_closed(tmp_path: Path, closed: str) -> None:
    script(tmp_path, SAFE)
    done = shell(f"gradlint check --isolated train.py nothing.py {closed}", tmp_path)
    assert done.returncode == 2 and "GRD101" in done.stdout and "Traceback" not in done.stderr


@POSIX
def test_a_closed_stdout_is_no_matter_where_the_report_goes_to_a_file(tmp_path: Path) -> None:
    script(tmp_path, SAFE)
    done = shell("gradlint check --isolated train.py -o report.txt >&-", tmp_path)
    assert (done.returncode, done.stderr) == (1, "") and "GRD101" in (tmp_path / "report.txt").read_text()


@POSIX
def test_an_interruption_is_130_and_no_traceback() -> None:
    code = [sys.executable, "-m", "gradlint", "check", "--isolated", "-"]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        time.sleep(2)
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(60) == 130
        assert waiting.stderr is not None and waiting.stderr.read().strip() == "error: interrupted"


def test_names_of_files_are_no_commands_where_they_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("::error::a.py", "##[error]b.py"):
        script(tmp_path, SAFE, name)
    shown = check("--show-files", *sorted(os.listdir())).stdout
    assert shown.splitlines() == ["#\N{REPLACEMENT CHARACTER}[error]b.py", "./::error::a.py"]


def test_code_is_no_command_where_it_is_a_diff(tmp_path: Path) -> None:
    text = SAFE.replace("        loss = ", '        """\n  ::error::a\n##[error]b\n        """\n        loss = ')
    shown = check("--diff", script(tmp_path, text)).stdout
    assert "accum_steps).backward()" in shown
    assert "##[" not in shown and not any(line.lstrip().startswith("::") for line in shown.splitlines())


@pytest.mark.parametrize(
    "form", ["full", "concise", "grouped", "github", "pylint", "gitlab", "junit", "json", "checkstyle", "rdjson"]
)
@pytest.mark.parametrize("separator", ["\u2028", "\u2029"])
def test_no_line_ends_within_a_line(tmp_path: Path, form: str, separator: str) -> None:
    text = SAFE.replace("criterion(model(x), y)", f"criterion(model(x), y, '{separator}::error::boo')")
    path = script(tmp_path, text, f"a{separator}::error::b.py")
    assert (
        separator not in check("--output-format", form, "--summary-file", tmp_path / "s.md", "--summary", "markdown", path).stdout
    )
    assert separator not in (tmp_path / "s.md").read_text()
