"""`gradlint check -`: text comes over stdin, and goes back over stdout byte for byte."""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, run

FIXED = SAFE.replace("loss.backward()", "(loss / accum_steps).backward()")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pipe(data: str | bytes, *arguments: str) -> Result:
    return run("check", "-", "--output-format", "concise", *arguments, input=data if isinstance(data, bytes) else data.encode())


def test_findings_name_the_file() -> None:
    result = pipe(SAFE, "--stdin-filename", "src/train.py")
    assert result.exit_code == 1 and result.stdout.startswith("src/train.py:8:9: GRD101 [*] ")
    assert pipe(SAFE).stdout.startswith("-:8:9: GRD101 [*] ")
    assert pipe(CLEAN).output == "Checked 1 file, 1 training loop: 1 verified.\nAll checks passed!\n"
    assert pipe("print(1)\n").exit_code == 0


def test_the_name_is_enough() -> None:
    result = run("check", "--stdin-filename", "train.py", "--output-format", "concise", input=SAFE)
    assert result.stdout.startswith("train.py:8:9: GRD101")


def test_other_files_are_not_read_and_that_is_told() -> None:
    result = run("check", "--stdin-filename", "train.py", "a.py", "b\x1b.py", input=CLEAN)
    assert (result.exit_code, result.stdout) == (0, "Checked 1 file, 1 training loop: 1 verified.\nAll checks passed!\n")
    assert result.stderr.startswith("warning: a.py, b\N{REPLACEMENT CHARACTER}.py: ignored")


def test_a_file_of_that_name_is_reached(here: Path) -> None:
    (here / "-").write_text(SAFE)
    assert "GRD101" in run("check", "./-", input=CLEAN).stdout


def test_fixed_text_goes_to_stdout_and_the_report_to_stderr() -> None:
    result = pipe(BOTH, "--fix", "--stdin-filename", "train.py")
    assert result.exit_code == 1
    assert result.stdout == BOTH.replace("loss.backward()", "(loss / accum_steps).backward()")
    assert "train.py:5:17: GRD501" in result.stderr and "Found 1 error and 1 warning (1 fixed, 1 remaining)." in result.stderr
    result = pipe(SAFE, "--fix", "-q")
    assert (result.exit_code, result.stdout, result.stderr) == (0, FIXED, "")
    assert pipe(SAFE, "--fix", "--exit-non-zero-on-fix").exit_code == 1


def test_fix_only() -> None:
    result = pipe(BOTH, "--fix-only", "--show-fixes")
    assert result.exit_code == 0 and "(loss / accum_steps)" in result.stdout
    assert "- -:\n    1 \N{MULTIPLICATION SIGN} GRD101 (unscaled-loss)\n" in result.stderr and "GRD501" not in result.stderr


def test_diff() -> None:
    result = pipe(SAFE, "--diff", "--fix", "--stdin-filename", "train.py")
    assert result.exit_code == 1
    assert (
        result.stdout.startswith("--- a/train.py\n+++ b/train.py\n")
        and "+        (loss / accum_steps).backward()" in result.stdout
    )
    assert pipe(CLEAN, "--diff").exit_code == 0


LAYOUTS = {
    "bom": codecs.BOM_UTF8 + SAFE.encode(),
    "crlf": SAFE.replace("\n", "\r\n").encode(),
    "cr": SAFE.replace("\n", "\r").encode(),
    "mixed": SAFE.replace("\n", "\r\n", 3).encode(),
    "latin-1": b"# coding: latin-1\n# caf\xe9\n" + SAFE.encode(),
    "no-final-newline": SAFE.rstrip("\n").encode(),
    "form-feed": SAFE.replace("\n\n\n", "\n\n\f\n").encode(),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_bytes_are_kept(name: str) -> None:
    data = LAYOUTS[name]
    assert pipe(data, "--fix").stdout_bytes == data.replace(b"loss.backward()", b"(loss / accum_steps).backward()")
    assert pipe(data, "--fix", "--ignore", "GRD101").stdout_bytes == data


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"x = 1", SYNTAX_ERROR.encode(), b"# caf\xe9\r\n", b"x = '\0'\n", SAFE.encode("utf-16"), b"\xff\xfe"]
)
def test_what_cannot_be_fixed_comes_back(data: bytes) -> None:
    result = pipe(data, "--fix")
    assert result.stdout_bytes == data and result.exit_code == int("GRD000" in result.stderr)


def test_a_failure_gives_the_text_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("gradlint.run.runner.process", broken)
    result = pipe(SAFE, "--fix")
    assert result.exit_code == 2 and result.stdout == SAFE and "a fault of ours" in result.stderr


def test_configuration_goes_by_the_name(here: Path) -> None:
    (here / "sub").mkdir()
    (here / "sub" / "gradlint.toml").write_text('ignore = ["GRD501"]\nper-file-ignores = { "x*.py" = ["GRD101"] }\n')
    assert "GRD501" in pipe(BOTH, "--stdin-filename", "train.py").stdout
    inside = pipe(BOTH, "--stdin-filename", "sub/train.py").stdout
    assert "GRD101" in inside and "GRD501" not in inside
    assert pipe(BOTH, "--stdin-filename", "sub/x1.py").exit_code == 0


def test_excluded_names(here: Path) -> None:
    (here / "gradlint.toml").write_text('extend-exclude = ["old/"]\n')
    name = ("--stdin-filename", "old/train.py")
    assert pipe(SAFE, *name).exit_code == 1
    assert pipe(SAFE, *name, "--force-exclude").output == "warning: old/train.py is not checked: it is excluded\n"
    result = pipe(SAFE, *name, "--force-exclude", "--fix")
    assert result.exit_code == 0 and result.stdout == SAFE
    assert pipe(SAFE, "--stdin-filename", "venv/train.py", "--force-exclude").exit_code == 0


def test_notebooks_go_by_the_name() -> None:
    cells = [{"cell_type": "code", "metadata": {}, "source": SAFE.splitlines(keepends=True)}]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    assert pipe(text, "--stdin-filename", "a.ipynb").stdout.startswith("a.ipynb:cell 1:8:9: GRD101")
    assert pipe(text, "--stdin-filename", "a.ipynb", "--fix").stdout == text.replace(
        "loss.backward", "(loss / accum_steps).backward"
    )
    assert pipe(text, "--stdin-filename", "a.py").exit_code == 0


def test_hostile_names() -> None:
    result = pipe(SAFE, "--stdin-filename", "a\x1b[31m.py", "--fix", "--show-fixes", "--select", "ALL")
    assert "\x1b" not in result.stderr and "a\N{REPLACEMENT CHARACTER}[31m.py" in result.stderr


def test_no_stdin() -> None:
    command = f"'{sys.executable}' -m gradlint check - <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "error: there is no stdin to read\n"
