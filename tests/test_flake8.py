"""The plugin for flake8, under the real flake8."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from harness import ROOT
from samples import CLEAN, SAFE, script

pytest.importorskip("flake8", reason="flake8 is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository whose flake8 loads the plugin from this checkout, installed or not."""
    name = "local-plugins" if not any(each.name == "GRD" for each in entry_points(group="flake8.extension")) else "unused"
    settings = f"[flake8]\nextend-ignore = E,W,F\n[flake8:{name}]\nextension = GRD = gradlint.flake8_plugin:Checker\n"
    script(tmp_path, f"{settings}paths = {ROOT}\n", ".flake8")
    return tmp_path


def flake8(folder: Path, *arguments: str, stdin: str = "") -> str:
    command = [sys.executable, "-m", "flake8", *arguments]
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, text=True, timeout=300, check=False)
    assert done.stderr == "" and done.returncode in (0, 1), done.stderr
    return done.stdout


def test_findings_are_reported_with_the_settings_of_gradlint(folder: Path) -> None:
    script(folder, SAFE)
    script(folder, CLEAN, "clean.py")
    script(folder, SAFE.replace("loss.backward()", "loss.backward()  # noqa: GRD101"), "silenced.py")
    script(folder, SAFE, "old/train.py")
    script(folder, 'exclude = ["old/"]\n', "gradlint.toml")
    (line,) = flake8(folder, "-j2").splitlines()
    assert line.startswith("./train.py:8:9: GRD101 The loss is not divided by `accum_steps` before `backward()`: ")
    script(folder, 'ignore = ["GRD1"]\n', "gradlint.toml")
    assert flake8(folder) == ""
    script(folder, "ignored = 1\n", "gradlint.toml")
    assert "GRD000 " in flake8(folder, "train.py")


def test_the_text_of_an_editor_counts(folder: Path) -> None:
    script(folder, CLEAN)
    assert "stdin:8:9: GRD101" in flake8(folder, "-", stdin=SAFE)
    assert "train.py:8:9: GRD101" in flake8(folder, "--stdin-display-name", "train.py", "-", stdin=SAFE)
    latin = SAFE.replace("import torch", "# coding: latin-1\nimport torch").replace(
        "loss.backward()", "s = '\u00e9'; loss.backward()"
    )
    (folder / "latin.py").write_bytes(latin.encode("latin-1"))
    assert "latin.py:9:18: GRD101" in flake8(folder, "latin.py")


def test_flake8_starts_without_the_parser() -> None:
    program = "import gradlint.flake8_plugin, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"libcst", "gradlint.api", "gradlint.config.load", "click"} & set(done.stdout.split())
