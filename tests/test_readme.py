"""The README: what it shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ROOT
from readme import README, generated
from samples import BOTH, run

from gradlint.config import load_config

TEXT = README.read_text(encoding="utf-8")


def block(language: str, holding: str) -> str:
    """The one block of a language that holds a string."""
    (found,) = [each for each in re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S) if holding in each]
    return str(found)


def test_generated_parts_are_up_to_date() -> None:
    assert generated(TEXT) == TEXT, "run `python tests/readme.py --write`"


def test_example_is_repaired_at_once() -> None:
    assert "(5 fixed, 0 remaining)" in block("console", "--fix")


def test_no_line_installs_another_project() -> None:
    for path in (*ROOT.glob("*.md"), *ROOT.glob("rules/*.md"), ROOT / ".ci" / "run"):
        assert not re.search(r"pip install (-\S+ )*gradlint\b", path.read_text(encoding="utf-8")), path


def test_main_command_finds_the_fixtures_bugs() -> None:
    assert block("sh", "check fixtures") == "pip install . && gradlint check fixtures\n"
    done = subprocess.run([sys.executable, "-m", "gradlint", "check", "fixtures"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "Found " in done.stdout and done.stderr == ""
    assert "GRD000" not in done.stdout


def test_commands_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    for line in block("sh", "--unsafe-fixes").splitlines():
        (tmp_path / "train.py").write_text(BOTH)
        command = line.split("#")[0].split()
        assert run(*command[1:]).exit_code in (0, 1), line


def test_configuration_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(block("toml", "[tool.gradlint]"))
    assert load_config(path).select == ("ALL",)


def test_suppressions_work() -> None:
    from gradlint.suppress import read_suppressions

    assert len(read_suppressions(block("python", "gradlint: ignore")).rows) == 3


def test_python_interface(capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("python", "from gradlint import"), {"source": BOTH})
    shown = capsys.readouterr().out
    assert "8 GRD101 " in shown and "AdamW(" in shown and "(loss / accum_steps).backward()" in shown


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if "://" not in target:
            assert (ROOT / target).exists(), target
