"""The hooks, under the real pre-commit, configured as the README says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT
from samples import CLEAN, SAFE, run, script

pytest.importorskip("pre_commit", reason="pre-commit is not installed")
CONFIG = re.search(r"^```yaml\n(repos:\n.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
SHIPPED = ("gradlint", "rules", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project as a git repository that pre-commit can clone, with a tag."""
    folder = tmp_path_factory.mktemp("project")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "as it is")
    git(folder, "tag", "v0.1.0")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {**os.environ, "PRE_COMMIT_HOME": str(tmp_path_factory.mktemp("cache"))}


def scratch(folder: Path, home: Path, hook: str) -> Path:
    """A repository that uses a hook."""
    assert CONFIG is not None
    config, count = re.subn(r"repo: \S+", f"repo: {home}", CONFIG.group(1))
    assert count == 1
    git(folder, "init", "-q")
    (folder / ".pre-commit-config.yaml").write_text(config.replace("id: gradlint ", f"id: {hook} "), encoding="utf-8")
    (folder / "pyproject.toml").write_text('[tool.gradlint]\nexclude = ["vendor/"]\n', encoding="utf-8")
    script(folder, SAFE)
    script(folder, SAFE, "vendor/train.py")
    script(folder, CLEAN, "clean.py")
    script(folder, "loss.backward(\n", "notes.txt")
    git(folder, "add", "-A")
    return folder


def test_a_name_that_begins_with_a_dash_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: list[dict[str, Any]] = pytest.importorskip("yaml").safe_load(
        (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    )
    monkeypatch.chdir(tmp_path)
    script(tmp_path, SAFE, "--fix.py")
    for hook in hooks:
        done = run(*shlex.split(hook["entry"])[1:], *map(str, hook["args"]), "--fix.py")
        assert (done.exit_code in (0, 1) and "--fix.py" in done.stdout) or "1 fixed" in done.stdout, done.output


def pre_commit(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_hook_reports(home: Path, environment: dict[str, str], tmp_path: Path) -> None:
    folder = scratch(tmp_path, home, "gradlint")
    done = pre_commit(folder, environment)
    if "CalledProcessError" in done.stdout and "pip" in done.stdout:
        pytest.skip("pre-commit cannot install packages here")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "error[GRD101]: " in done.stdout and "--> train.py:8:9" in done.stdout
    assert "vendor" not in done.stdout and "notes.txt" not in done.stdout
    assert (folder / "train.py").read_text() == SAFE


def test_hook_fixes(home: Path, environment: dict[str, str], tmp_path: Path) -> None:
    folder = scratch(tmp_path, home, "gradlint-fix")
    done = pre_commit(folder, environment)
    if "CalledProcessError" in done.stdout and "pip" in done.stdout:
        pytest.skip("pre-commit cannot install packages here")
    assert done.returncode == 1 and "files were modified by this hook" in done.stdout
    assert (folder / "train.py").read_text() == SAFE.replace("loss.backward()", "(loss / accum_steps).backward()")
    assert (folder / "vendor" / "train.py").read_text() == SAFE
    git(folder, "add", "-A")
    assert pre_commit(folder, environment).returncode == 0
