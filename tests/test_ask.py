"""`--ask`: one fix at a time, each shown with what it changes; only what was said yes to is written."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from samples import BOTH, CLEAN, SAFE, check, run, script

from gradlint.cli.ask import Dialogue, go_through
from gradlint.run.runner import run as run_jobs
from gradlint.run.task import FileResult, Job, Task

FIXED = SAFE.replace("loss.backward()", "(loss / accum_steps).backward()")
SECOND = SAFE.replace("import torch\n", "").replace("def train", "def again")
TWO = f"{SAFE}{SECOND}"
GUARD = "(i + 1) % accum_steps == 0 or (i + 1) == len(loader)"


class Script:
    """Answers from a list, as a stream gives them; what is shown is kept."""

    def __init__(self, *answers: str) -> None:
        self.answers = iter(answers)
        self.shown: list[str] = []
        self.prompts: list[str] = []

    def ask(self, prompt: str) -> str:
        self.prompts.append(prompt)
        try:
            return next(self.answers)
        except StopIteration:
            raise EOFError from None

    def dialogue(self) -> Dialogue:
        return Dialogue(self.ask, lambda line: self.shown.append(click.unstyle(line)))


def asked(script: Script, *paths: Path, unsafe: bool = False) -> list[FileResult]:
    jobs = [Job(path, Task(unsafe=unsafe), named=True) for path in paths]
    results, failed = go_through(jobs, list(run_jobs(jobs, 1)), script.dialogue())
    assert not failed
    return results


def test_yes_and_no(tmp_path: Path) -> None:
    yes, no = script(tmp_path, SAFE, "yes.py"), script(tmp_path, SAFE, "no.py")
    answers = Script("y\n", "n\n")
    results = asked(answers, yes, no)
    assert (yes.read_text(), no.read_text()) == (FIXED, SAFE)
    assert [len(each.applied) for each in results] == [1, 0]
    assert [len(each.diagnostics) for each in results] == [0, 1]


def test_what_is_shown(tmp_path: Path) -> None:
    path = script(tmp_path)
    answers = Script("n\n")
    asked(answers, path)
    assert answers.shown[0] == "" and answers.shown[1].startswith(f"{path}:8:9: GRD101 The loss is not divided")
    assert answers.shown[2] == "help: Divide the loss by `accum_steps` (safe fix)"
    diff = answers.shown[3:]
    assert diff[0] == "@@ -5,7 +5,7 @@"
    assert "-        loss.backward()" in diff and "+        (loss / accum_steps).backward()" in diff
    assert answers.prompts == ["(1 of 1) Apply this fix [y,n,a,d,q,?]? "]


def test_the_text_is_read_anew_after_each_fix(tmp_path: Path) -> None:
    """The guard's two findings overlap; GRD202 is asked about as it is once GRD201 is mended."""
    sized = "    print(len(loader))\n    for i,"
    path = script(tmp_path, SAFE.replace("    for i,", sized).replace(GUARD, "i % accum_steps == 0"))
    answers = Script("y\n", "y\n", "y\n")
    asked(answers, path)
    assert path.read_text() == FIXED.replace("    for i,", sized)
    assert [prompt[:9] for prompt in answers.prompts] == ["(1 of 3) ", "(2 of 3) ", "(3 of 3) "]
    assert "+        if (i + 1) % accum_steps == 0:" in answers.shown and f"+        if {GUARD}:" in answers.shown


def test_a_declined_fix_is_not_asked_again(tmp_path: Path) -> None:
    path = script(tmp_path, TWO)
    answers = Script("n\n", "y\n")
    asked(answers, path)
    assert len(answers.prompts) == 2
    assert path.read_text() == SAFE + SECOND.replace("loss.backward()", "(loss / accum_steps).backward()")


@pytest.mark.parametrize(("answer", "result"), [("a", FIXED + SECOND.replace("loss.b", "(loss / accum_steps).b")), ("d", TWO)])
def test_all_and_none_are_about_one_file(tmp_path: Path, answer: str, result: str) -> None:
    first, second = script(tmp_path, TWO, "a.py"), script(tmp_path, SAFE, "b.py")
    answers = Script(answer, "y")
    asked(answers, first, second)
    assert first.read_text() == result and second.read_text() == FIXED and len(answers.prompts) == 2


@pytest.mark.parametrize("end", [("y", "q"), ("y",)])
def test_quitting_keeps_what_was_said_yes_to(tmp_path: Path, end: tuple[str, ...]) -> None:
    first, second = script(tmp_path, TWO, "a.py"), script(tmp_path, SAFE, "b.py")
    results = asked(Script(*end), first, second)
    assert first.read_text() == FIXED + SECOND and second.read_text() == SAFE
    assert [len(each.diagnostics) for each in results] == [1, 1]


def test_help_and_nonsense_ask_again(tmp_path: Path) -> None:
    path = script(tmp_path)
    answers = Script("?\n", "what\n", "\n", " Y \n")
    asked(answers, path)
    assert path.read_text() == FIXED and len(answers.prompts) == 4
    assert answers.shown.count("q - quit, and keep the fixes you accepted") == 3


def test_unsafe_fixes_only_where_they_are_wanted(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    asked(Script("y", "y", "y"), path)
    assert path.read_text() == BOTH.replace("loss.backward()", "(loss / accum_steps).backward()")
    answers = Script("y")
    asked(answers, path, unsafe=True)
    assert "AdamW(" in path.read_text() and any(line.endswith("(unsafe fix)") for line in answers.shown)


def test_unused_suppressions_come_last(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE.replace("import torch\n", "import torch  # gradlint: ignore[GRD101]\n"))
    answers = Script("y", "y")
    asked(answers, path)
    assert path.read_text() == FIXED
    assert [line.split()[1] for line in answers.shown if ": GRD" in line] == ["GRD101", "GRD001"]


def test_what_is_shown_injects_nothing(tmp_path: Path) -> None:
    source = SAFE.replace("        loss.backward()", '        "\x1b]0;x\x07"\n        loss.backward()')
    answers = Script("n")
    asked(answers, script(tmp_path, source, "a\x1b[2J.py"))
    assert "\x1b" not in "".join(answers.shown) and "\x07" not in "".join(answers.shown)


def test_a_file_that_somebody_else_changes_meanwhile_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script(tmp_path)

    def ask(_: str) -> str:
        path.write_text(CLEAN)
        return "y"

    jobs = [Job(path, Task(), named=True)]
    (result,), failed = go_through(jobs, list(run_jobs(jobs, 1)), Dialogue(ask, lambda _: None))
    assert failed and path.read_text() == CLEAN and result.applied == ()
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}: the file changed in the meantime") and error.count("\n") == 1


def test_interrupted_files_are_whole(tmp_path: Path) -> None:
    first, second = script(tmp_path, SAFE, "a.py"), script(tmp_path, TWO, "b.py")
    answers = iter(["y", "y"])

    def ask(_: str) -> str:
        try:
            return next(answers)
        except StopIteration:
            raise KeyboardInterrupt from None

    jobs = [Job(path, Task(), named=True) for path in (first, second)]
    with pytest.raises(KeyboardInterrupt):
        go_through(jobs, list(run_jobs(jobs, 1)), Dialogue(ask, lambda _: None))
    assert first.read_text() == FIXED and second.read_text() == TWO


def notebook(path: Path) -> Path:
    cells = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": each.splitlines(keepends=True)}
        for each in ("import os", SAFE.rstrip("\n"))
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1))
    return path


def test_notebooks(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb")
    answers = Script("y")
    asked(answers, path)
    assert answers.shown[1].startswith(f"{path}:cell 2:8:9: GRD101 ") and not [x for x in answers.shown if x.startswith("@@")]
    assert "        (loss / accum_steps).backward()\n" in json.loads(path.read_text())["cells"][1]["source"]
    deep = notebook(tmp_path / "b.ipynb")
    deep.write_text(deep.read_text().replace('"outputs": []', f'"outputs": {"[" * 250 + "]" * 250}'))
    answers = Script("y")
    (result,) = asked(answers, deep)
    assert answers.prompts == [] and len(result.diagnostics) == 1


# The command


def test_without_a_terminal(tmp_path: Path) -> None:
    result = check("--ask", script(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == "error: --ask needs a terminal to ask on; --fix applies all safe fixes, --diff shows them\n"
    result = run("check", "--isolated", "--ask", "-", input="x")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1


Terminal = Callable[..., tuple[str, int]]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Runs the command on a terminal of its own: what it printed, and its status. An answer `\\x03` is Ctrl-C."""
    children: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, answers: str) -> tuple[str, int]:
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            [sys.executable, "-m", "gradlint", "check", "--isolated", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
            preexec_fn=lambda: os.close(os.open(os.ttyname(theirs), os.O_RDWR)),  # makes it the controlling terminal
        )
        children.append(child)
        os.close(theirs)
        shown, pending = io.StringIO(), list(answers)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready, _, _ = select.select([ours], [], [], 0.2)
            if ready:
                try:
                    data = os.read(ours, 4096)
                except OSError:
                    break
                if not data:
                    break
                shown.write(data.decode())
                if pending and re.search(r"\[y,n,a,d,q,\?\]\? $", shown.getvalue()):
                    os.write(ours, pending.pop(0).encode().replace(b"y", b"y\n").replace(b"n", b"n\n").replace(b"q", b"q\n"))
            elif child.poll() is not None:
                break
        status = child.wait(30)  # a terminal that closes earlier hangs up on what is about to end
        os.close(ours)
        return shown.getvalue().replace("\r\n", "\n"), status

    yield start
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            child.wait()


def test_on_a_terminal(tmp_path: Path, terminal: Terminal) -> None:
    first, second = script(tmp_path, SAFE, "a.py"), script(tmp_path, BOTH, "b.py")
    shown, status = terminal("--ask", str(tmp_path), answers="yn")
    assert status == 1 and first.read_text() == FIXED and second.read_text() == BOTH
    assert "(1 of 1) Apply this fix [y,n,a,d,q,?]? y\n" in shown
    assert shown.splitlines()[-1].startswith("note: GRD101: ")
    assert shown.splitlines()[-3:-1] == [
        "Found 2 errors and 1 warning (1 fixed, 2 remaining).",
        "[*] 1 fixable with the `--fix` option (1 hidden fix can be enabled with the `--unsafe-fixes` option).",
    ]


def test_interrupt_on_a_terminal(tmp_path: Path, terminal: Terminal) -> None:
    first, second = script(tmp_path, SAFE, "a.py"), script(tmp_path, TWO, "b.py")
    shown, status = terminal("--ask", str(tmp_path), answers="yy\x03")
    assert status == 130 and first.read_text() == FIXED and second.read_text() == TWO
    assert "Traceback" not in shown and "interrupted: gradlint has not changed this file" in shown


@pytest.mark.parametrize("other", ["--fix", "--diff", "--add-ignore", "--watch", "--statistics"])
def test_misuse(tmp_path: Path, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from gradlint.config.load import ConfigError
    from gradlint.run.options import Options, require_compatible

    fields = {"--fix": "fixing", "--diff": "diff", "--add-ignore": "add_ignore", "--watch": "watch", "--statistics": "statistics"}
    with pytest.raises(ConfigError, match=f"--ask cannot be used with {other}"):
        require_compatible(Options((tmp_path,), ask=True, **{fields[other]: True}))  # type: ignore[arg-type]
