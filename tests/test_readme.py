"""The README: what it promises is what happens. Its blocks are run with those of the other pages, by test_docs.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import anchors, blocks
from harness import ROOT
from readme import README
from samples import BOTH, CLEAN, run, script

TEXT = README.read_text(encoding="utf-8")


def block(language: str, holding: str) -> str:
    """The one block of a language that holds a string."""
    (found,) = [each.body for each in blocks(TEXT) if each.language == language and holding in each.body]
    return found


def test_first_screen_says_what_it_is_how_to_get_it_and_what_it_does() -> None:
    lines = TEXT.splitlines()
    assert lines[2].startswith("gradlint finds ") and lines.index("pip install torch-gradlint") < 10
    assert any(line.startswith("![") for line in lines[:15]), "a picture is on the first screen"
    change = next(each for each in blocks(TEXT) if each.language == "diff")
    assert change.row < 20 and "\n-            scheduler.step()\n+                scheduler.step()\n" in change.body


def test_a_finding_is_shown_whole() -> None:
    first = next(each for each in blocks(TEXT) if each.language == "console")
    assert "^^^^" in first.body and "----" in first.body, "both places are shown"
    assert "\nhelp: [*] " in first.body and "\n18 +                 scheduler.step()\n" in first.body


def test_links_and_pictures_work_on_the_package_index() -> None:
    """They are absolute, and those into this repository lead to a file that there is."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", TEXT, flags=re.M | re.S))
    assert len(targets) > 50 and all(each.startswith("https://") for each in targets), targets
    ours = re.compile(
        r"https://(?:raw\.githubusercontent\.com/torch-gradlint/torch-gradlint|github\.com/torch-gradlint/torch-gradlint/blob)/main/(.+)"
    )
    inside = [found[1].partition("#") for each in targets if (found := ours.fullmatch(each))]
    for path, _, anchor in inside:
        assert (ROOT / path).is_file(), path
        assert not anchor or anchor in anchors((ROOT / path).read_text(encoding="utf-8")), f"{path}#{anchor}"


def test_example_is_repaired_at_once() -> None:
    assert "(5 fixed, 0 remaining)" in block("console", "train.py --fix")


def test_no_line_installs_another_project() -> None:
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("rules/*.md"), ROOT / ".ci" / "run"):
        assert not re.search(r"pip install (-\S+ )*gradlint\b", path.read_text(encoding="utf-8")), path


def test_main_command_finds_the_fixtures_bugs() -> None:
    script = "fixtures/six_bugs/six_bugs.py"
    assert block("sh", "check fixtures") == f"pip install . && gradlint check {script}\n"
    done = subprocess.run([sys.executable, "-m", "gradlint", "check", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "Found 5 errors and 1 warning." in done.stdout and done.stderr == ""
    assert len(done.stdout.splitlines()) < 160, "a newcomer reads the whole output"


def test_continuous_integration_runs_the_test_command() -> None:
    assert block("sh", "pytest") == "pip install '.[test,proof]' && pytest\n"
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r'pip install --quiet "\.\[test,proof\b', script) and re.search(r"^pytest$", script, re.M)


def test_configuration_means_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text(block("toml", "[tool.gradlint]"))
    norm = "norm = torch.nn.BatchNorm1d(8)\n"
    for name in ("train.py", "notebooks/train.py", "third_party/train.py"):
        script(tmp_path, CLEAN.replace(" or (i + 1) == len(loader)", "").replace("\n\n\ndef", f"\n\n{norm}\n\ndef"), name)
    script(tmp_path, CLEAN.replace("optimizer", "mover").replace(" / accum_steps\n", "\n"), "mine.py")
    found = run("check", "--output-format", "concise").stdout
    places = {(line.split(":")[0], code) for line in found.splitlines() for code in re.findall(r": (GRD\d+) ", line)}
    assert places == {("train.py", "GRD202"), ("train.py", "GRD502"), ("notebooks/train.py", "GRD502"), ("mine.py", "GRD101")}


def test_suppressions_work() -> None:
    from gradlint.suppression.comments import read_suppressions

    assert len(read_suppressions(block("python", "gradlint: ignore")).rows) == 3


def test_python_interface(capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("python", "from gradlint import"), {"source": BOTH})
    shown = capsys.readouterr().out
    assert "8 GRD101 " in shown and "AdamW(" in shown and "(loss / accum_steps).backward()" in shown


def test_workflow_uses_the_action() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (job,) = yaml.safe_load(block("yaml", "jobs:"))["jobs"].values()
    assert job["steps"][-1]["uses"].startswith("torch-gradlint/torch-gradlint@v")
