"""What a repository may bring along: settings that are no files, or have no end, and comments that never close."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from samples import SAFE, check, run, script

from gradlint.config.contents import LARGEST_SETTINGS, MOST_PATTERNS
from gradlint.suppression.comments import read_suppressions

DEVICE = Path("/dev/zero")
needs_device = pytest.mark.skipif(not DEVICE.exists(), reason="this system has no endless device")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    script(tmp_path, SAFE)
    return tmp_path


def huge(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


@needs_device
def test_a_gitignore_that_is_a_device_says_nothing(project: Path) -> None:
    (project / ".gitignore").symlink_to(DEVICE)
    assert "GRD101" in check(project).stdout


@needs_pipes
def test_a_gitignore_that_is_a_pipe_is_not_waited_for(project: Path) -> None:
    os.mkfifo(project / ".gitignore")
    assert "GRD101" in check(project).stdout


def test_a_gitignore_of_many_gigabytes_is_not_read(project: Path) -> None:
    huge(project / ".gitignore", 8 * 2**30)
    assert "GRD101" in check(project).stdout


@needs_pipes
def test_a_picture_is_drawn_of_regular_files_alone(project: Path) -> None:
    os.mkfifo(project / "pipe.py")
    huge(project / "huge.py", 8 * 2**30)
    for name, why in (("pipe.py", "it is not a regular file"), ("huge.py", "it is larger than 50 MiB")):
        result = run("show", project / name, project / "train.py")
        assert result.exit_code == 2 and f"{name}: {why}" in result.stderr and "GRD101" in result.stdout


@needs_device
def test_a_configuration_that_is_a_device(project: Path) -> None:
    result = run("check", "--config", DEVICE, project)
    assert result.exit_code == 2 and "it is not a regular file" in result.stderr


@needs_device
@pytest.mark.parametrize("key", ["baseline", "extend"])
def test_what_a_configuration_names_is_a_device(project: Path, key: str) -> None:
    (project / "gradlint.toml").write_text(f'{key} = "{DEVICE}"\n')
    result = run("check", project)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1 and str(DEVICE) in result.stderr


def test_a_configuration_of_many_gigabytes(project: Path) -> None:
    huge(project / "gradlint.toml", 8 * 2**30)
    result = run("check", project)
    assert result.exit_code == 2 and f"it is larger than {LARGEST_SETTINGS // 2**20} MiB" in result.stderr


def test_a_baseline_of_many_gigabytes(project: Path) -> None:
    huge(project / "accepted.json", 8 * 2**30)
    result = check("--baseline", project / "accepted.json", project)
    assert result.exit_code == 2 and "it is larger than 50 MiB" in result.stderr


@pytest.mark.parametrize("text", ["x = " + "[" * 3000 + "]" * 3000, "x = " + "{a=" * 3000 + "1" + "}" * 3000])
def test_a_configuration_that_is_nested_deeply(project: Path, text: str) -> None:
    (project / "gradlint.toml").write_text(text + "\n")
    result = run("check", project)
    assert result.exit_code == 2 and "not valid TOML" in result.stderr


def test_a_baseline_and_a_notebook_that_are_nested_deeply(project: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    (project / "accepted.json").write_text(deep)
    result = check("--baseline", project / "accepted.json", project)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1 and "accepted.json" in result.stderr
    script(project, f'{{"cells": {deep}, "loss.backward() optimizer.step() accum_steps": 1}}', "deep.ipynb")
    assert check(project / "deep.ipynb").stdout.count("GRD000") == 1


@needs_pipes
def test_a_cache_whose_tag_is_a_pipe_is_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    (project / ".gradlint_cache").mkdir()
    os.mkfifo(project / ".gradlint_cache" / "CACHEDIR.TAG")
    assert run("clean").exit_code in (0, 2)


def test_a_gitignore_of_very_many_patterns_is_passed_over(project: Path) -> None:
    """Each pattern is tried with each file."""
    script(project, SAFE, "other.py")
    (project / ".gitignore").write_text("other.py\n" + "".join(f"x{n}/*.q\n" for n in range(MOST_PATTERNS)))
    assert "other.py" in check(project).stdout
    (project / ".gitignore").write_text("other.py\n" + "# a comment\n\n" * MOST_PATTERNS)
    assert "other.py" not in check(project).stdout


@pytest.mark.parametrize("table", ["extend-exclude = [{}]", "per-file-ignores = {{ {} }}"])
def test_a_configuration_of_very_many_patterns_is_refused(project: Path, table: str) -> None:
    end = '" = ["GRD101"]' if "per-file" in table else '"'
    (project / "gradlint.toml").write_text(table.format(", ".join(f'"x{n}{end}' for n in range(MOST_PATTERNS + 1))))
    result = run("check", project)
    assert result.exit_code == 2 and "has 10,001 patterns, and gradlint reads up to 10,000" in result.stderr


def test_a_bracket_that_never_closes_is_not_looked_for_beyond_the_next_comment() -> None:
    """Each `#` begins a comment of its own for us: the directive after an open bracket counts."""
    opened = "# gradlint: ignore["
    assert read_suppressions(opened * 20_000 + "\n").directives == ()
    (directive,) = read_suppressions(f"{opened * 3}GRD101]\n").directives
    assert directive.selectors is not None and [each.text for each in directive.selectors] == ["GRD101"]
