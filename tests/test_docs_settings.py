"""The pages about configuration and the codemod: their settings are valid, their commands run, what they show is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
from harness import ROOT
from samples import BOTH, CLEAN, SAFE, run, script
from schema import schema

from gradlint.config.load import load_config
from gradlint.config.schema import KEYS, NAMES
from gradlint.config.toml import loads
from gradlint.files.discover import DEFAULT_EXCLUDES

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
CODEMOD = (ROOT / "docs" / "codemod.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[tuple[str, str]]:
    """Title and content of the blocks in a language."""
    found = re.findall(rf'^```{language}(?: title="(.+?)")?\n(.*?)^```$', text, re.M | re.S)
    return [(title, body) for title, body in found]


@pytest.mark.parametrize(("title", "body"), blocks(CONFIGURATION, "toml"))
def test_settings_are_valid(tmp_path: Path, title: str, body: str) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.gradlint]\n")
    path = tmp_path / (title or "gradlint.toml")
    path.parent.mkdir(exist_ok=True)
    path.write_text(body)
    load_config(path)
    table = loads(body)
    jsonschema.Draft7Validator(schema()).validate(table["tool"]["gradlint"] if path.name == "pyproject.toml" else table)


def test_every_key_is_explained() -> None:
    for key in (*KEYS, *NAMES):
        assert re.search(rf"`{key}`|^{key} = ", CONFIGURATION, re.M), key
    for folder in DEFAULT_EXCLUDES:
        assert f"`{folder}`" in CONFIGURATION, folder


def test_schema_is_where_the_page_says() -> None:
    ((_, body),) = [each for each in blocks(CONFIGURATION, "toml") if "#:schema" in each[1]]
    assert body == f"#:schema {schema()['$id']}\n"


def test_a_mistake_is_told_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("\n" * 10 + '[tool.gradlint]\nignore = ["GRD110"]\n')
    (shown,) = re.findall(r"^error: pyproject.toml(:12: .*)$", CONFIGURATION, re.M)
    assert run("check").stderr == f"error: {tmp_path / 'pyproject.toml'}{shown}\n"


def test_private_framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ((_, source),) = blocks(CONFIGURATION, "python")
    script(tmp_path, source, "recipe.py")
    assert run("check", "--select", "ALL", "recipe.py").exit_code == 0
    ((_, names),) = [each for each in blocks(CONFIGURATION, "toml") if "[names]" in each[1]]
    (tmp_path / "gradlint.toml").write_text(names)
    (shown,) = re.findall(r"^\$ gradlint check recipe.py .*\n((?:.+\n)*?)```", CONFIGURATION, re.M)
    assert run("check", "recipe.py", "--output-format", "concise").stdout == shown


@pytest.mark.parametrize(
    "command", [line for text in (CONFIGURATION, CODEMOD) for _, body in blocks(text, "sh") for line in [body]]
)
def test_commands_run(tmp_path: Path, command: str) -> None:
    for name in ("train.py", "src/train.py"):
        script(tmp_path, BOTH, name)
    program = tmp_path / "bin" / "gradlint"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n"{sys.executable}" -m gradlint "$@"\nstatus=$?\n[ $status -lt 2 ] || echo "status $status" >&2\n'
    )
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "step.md"),
        **{f"GIT_{who}_{what}": "test@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    subprocess.run(
        "git init --quiet && git add . && git commit --quiet --message start",
        shell=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "status" not in done.stderr and "rror:" not in done.stderr, done.stderr
    if "for rule in" in command:
        log = subprocess.run(["git", "log", "--format=%s"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert log == "gradlint: GRD101\nstart\n"
    if "> summary.md" in command:
        assert (tmp_path / "summary.md").read_text().startswith("### [gradlint](")
    if "STEP_SUMMARY" in command:
        assert (tmp_path / "step.md").read_text().startswith("### [gradlint](")
    if "> fixed.py" in command:
        assert "(loss / accum_steps).backward()" in (tmp_path / "fixed.py").read_text()


COSINE = "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(loader) // accum_steps)"


def test_fixes_are_listed_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = SAFE.replace("    for i,", f"    scheduler = {COSINE}\n    for i,")
    script(tmp_path, f"{source}        scheduler.step()\n")
    ((_, shown),) = blocks(CODEMOD, "console")
    assert f"$ gradlint check --fix-only --show-fixes\n{run('check', '--fix-only', '--show-fixes').output}" == shown


def test_the_diff_is_a_patch(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE)
    done = subprocess.run([sys.executable, "-m", "gradlint", "check", "--diff", "train.py"], cwd=tmp_path, capture_output=True)
    subprocess.run(["git", "apply", "-"], input=done.stdout, cwd=tmp_path, check=True)
    assert path.read_text() == SAFE.replace("loss.backward()", "(loss / accum_steps).backward()")
    assert run("check", "--isolated", "--diff", script(tmp_path, CLEAN)).exit_code == 0
