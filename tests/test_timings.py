"""`--timings`: where the time goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples import BOTH, CLEAN, SAFE, check, run, script

from gradlint.run import runner
from gradlint.timings import STAGES, Timings, measuring, stage


def test_stages_and_slowest_files_are_told_on_stderr(tmp_path: Path) -> None:
    script(tmp_path, SAFE)
    script(tmp_path, "x = 1\n", "other.py")
    result = check("--timings", "--output-format", "concise", tmp_path)
    assert result.exit_code == 1 and "GRD101" in result.stdout and "total" not in result.stdout
    lines = result.stderr.splitlines()
    assert [line.split()[0] for line in lines[: len(STAGES) + 1]] == ["total", *STAGES]
    assert "train.py" in lines[-1] and "other.py" not in result.stderr
    assert "slowest" not in check("--timings", str(script(tmp_path / "b", "x = 1\n"))).stderr.split("report")[0]


def test_nothing_is_told_unless_asked(tmp_path: Path) -> None:
    assert check("--output-format", "concise", script(tmp_path, SAFE)).stderr == ""


def test_as_json(tmp_path: Path) -> None:
    script(tmp_path, BOTH)
    result = check("--timings", "--output-format", "json", tmp_path)
    told = json.loads(result.stderr)
    assert set(told["stages"]) == set(STAGES) and told["total"] > 0 and json.loads(result.stdout)
    assert all(told["stages"][name] > 0 for name in ("start", "walk", "read", "prefilter", "ast", "parse", "model", "rules"))
    assert [Path(each["filename"]).name for each in told["slowest"]] == ["train.py"]


def test_processes_are_summed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "POOL_FROM", 0)
    for number in range(4):
        script(tmp_path, CLEAN, f"f{number}.py")
    told = json.loads(run("check", "--isolated", "--timings", "-j", "2", "--output-format", "json", str(tmp_path)).stderr)
    assert told["processes"] == 3 and len(told["slowest"]) == 4 and told["stages"]["parse"] > 0


def test_names_of_files_are_harmless(tmp_path: Path) -> None:
    script(tmp_path, SAFE, "a\x1b[31m.py")
    assert "\x1b" not in check("--timings", tmp_path).stderr


def test_a_stage_counts_only_while_somebody_measures() -> None:
    timings = Timings()
    with stage("parse"):
        pass
    with measuring(timings), stage("parse"):
        pass
    with stage("model"):
        pass
    assert set(timings.stages) == {"parse"}
