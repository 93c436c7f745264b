"""`gradlint show` over folders, what it cannot judge, and why a rule is silent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import FIXTURES
from samples import CLEAN, SAFE, run, script

from gradlint.show.svg import CHARACTER

OUT_OF_SIGHT = """\
from schedule import window_is_full


def train(model, loader, criterion, optimizer):
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        loss.backward()
        if window_is_full(i):
            optimizer.step()
            optimizer.zero_grad()
"""
PRIVATE = """\
class Recipe:
    def fit(self, net, batches):
        for batch in batches:
            loss = net(batch).mean()
            loss.backward()
            self.pacer.step()
            self.mover.step()
            self.mover.zero_grad()
"""
ELSEWHERE = (
    CLEAN.replace("import torch\n", "import torch\nfrom losses import combined\n")
    .replace("criterion(model(x), y) / accum_steps", "criterion(model(x), y)")
    .replace("loss.backward()", "combined(loss, accum_steps).backward()")
)


# Folders


def test_a_folder_shows_the_files_with_loops(tmp_path: Path) -> None:
    script(tmp_path, CLEAN, "src/train.py")
    script(tmp_path, "import torch\n\nprint(1)\n", "src/other.py")
    script(tmp_path, SAFE, "build/train.py")
    shown = run("show", tmp_path).stdout
    assert shown.count("training loop in") == 1 and "src/train.py:6" in shown and "other.py" not in shown
    assert "no backward pass" in run("show", tmp_path / "src" / "other.py").stdout


def test_a_folder_without_loops_says_so(tmp_path: Path) -> None:
    script(tmp_path, "print(1)\n")
    result = run("show", tmp_path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"warning: no training loop found under {tmp_path}\n"


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, CLEAN)
    monkeypatch.chdir(tmp_path)
    assert run("show").stdout.startswith("train.py:6 training loop in train\n")


# What cannot be judged


def test_unknown_names_the_line_the_reason_and_what_would_help(tmp_path: Path) -> None:
    script(tmp_path, OUT_OF_SIGHT, "asked.py")
    script(tmp_path, ELSEWHERE, "elsewhere.py")
    script(tmp_path, PRIVATE, "private.py")
    script(tmp_path, CLEAN)
    result = run("show", "--unknown", tmp_path)
    lines = [line.removeprefix(f"{tmp_path}/") for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert lines[0].startswith("asked.py:8: train: ") and '`boundaries = ["window_is_full"]`' in lines[1]
    assert lines[2].startswith("elsewhere.py:9: train: ") and "`combined` comes from `losses.combined`" in lines[3]
    assert lines[4].startswith("private.py:3: Recipe.fit: ") and '`optimizers = ["mover"]`' in lines[5]
    assert lines[6:] == ["3 of 4 training loops cannot be judged."]


@pytest.mark.parametrize(
    ("source", "names"), [(OUT_OF_SIGHT, 'boundaries = ["window_is_full"]'), (PRIVATE, 'optimizers = ["mover"]')]
)
def test_the_name_that_helps_does(source: str, names: str, tmp_path: Path) -> None:
    path = script(tmp_path, source)
    assert names in run("show", "--unknown", path).stdout
    script(tmp_path, f"[names]\n{names}\n", "gradlint.toml")
    assert run("show", "--unknown", path).stdout == "0 of 1 training loop cannot be judged.\n"


def test_unknown_as_json(tmp_path: Path) -> None:
    (each,) = json.loads(run("show", "--unknown", "--output-format", "json", script(tmp_path, OUT_OF_SIGHT)).stdout)
    assert (each["at"]["line"], each["about"]["line"], each["function"]) == (5, 8, "train")
    assert each["why"] and each["help"]


def test_training_that_no_run_reaches_is_unknown(tmp_path: Path) -> None:
    source = CLEAN.replace("    for i,", "    if False:\n        loss.backward()\n    for i,")
    shown = run("show", "--unknown", script(tmp_path, source)).stdout.splitlines()
    assert shown[0].endswith("train.py:7: train: no simulated run reaches `loss.backward()`")
    lightning = run("show", "--unknown", FIXTURES / "idioms" / "lightning_automatic.py").stdout
    assert lightning == "No training loop found.\n"


# Why a rule is silent


@pytest.mark.parametrize(
    ("source", "rule", "said"),
    [
        (SAFE, "GRD101", "GRD101 reports line 8: The loss is not divided by `accum_steps`"),
        (SAFE.replace(".backward()", ".backward()  # noqa"), "unscaled-loss", "a comment at line 8 silences it: The loss is not"),
        (CLEAN, "GRD101", "no simulated run shows the fault: `loss.backward()` at line 8 backpropagates loss/N"),
        (CLEAN, "GRD202", "with N = 3, the loop updates after micro-batch 3, 6, 8 of 8"),
        (CLEAN, "GRD301", "nothing clips gradients"),
        (CLEAN, "GRD401", "no learning-rate schedule advances in it"),
        (CLEAN, "GRD307", "no GradScaler scales the loss"),
        (CLEAN, "GRD601", "no model is wrapped for several processes"),
        (CLEAN, "GRD704", "the rule is about loops that a Trainer runs"),
        (CLEAN, "GRD203", "`optimizer.zero_grad()` at line 11 runs per update"),
        (OUT_OF_SIGHT, "GRD101", "gradlint cannot judge the loop: "),
        (
            CLEAN.replace("(i + 1) % accum_steps == 0 or (i + 1) == len(loader)", "True").replace(" / accum_steps", ""),
            "GRD202",
            "the loop does not accumulate",
        ),
    ],
)
def test_why(source: str, rule: str, said: str, tmp_path: Path) -> None:
    result = run("show", "--why", rule, script(tmp_path, source))
    assert result.exit_code == 0 and result.stdout.count("\n") == 1
    assert said in result.stdout
    assert ("is silent here, since" in result.stdout) is ("GRD101 reports" not in said)


def test_why_a_rule_is_silent_that_the_settings_turn_off(tmp_path: Path) -> None:
    path = script(tmp_path)
    script(tmp_path, "ignore = ['GRD1']\n", "gradlint.toml")
    assert (
        "since the settings turn it off; with `--select GRD101` it reports line 8: "
        in run("show", "--why", "GRD101", path).stdout
    )


def test_why_needs_a_rule(tmp_path: Path) -> None:
    result = run("show", "--why", "GRD110", script(tmp_path))
    assert result.exit_code == 2 and "did you mean `GRD101`?" in result.stderr
    assert run("show", "--why", "GRD101", "--unknown", tmp_path).exit_code == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "deepspeed_engine",
            "divided by `model_engine.backward`, https://github.com/torch-gradlint/torch-gradlint/blob/main/docs/",
        ),
        ("accelerate_accumulate_basic", "docs/engines.md#accelerate"),
    ],
)
def test_what_divides_the_loss_is_named(name: str, said: str) -> None:
    assert said in run("show", FIXTURES / "idioms" / f"{name}.py").stdout


def test_a_division_in_the_text_is_named(tmp_path: Path) -> None:
    assert "divided by `criterion(model(x), y) / accum_steps` at line 7" in run("show", script(tmp_path, CLEAN)).stdout


def test_the_places_in_a_notebook_are_inside_of_the_picture(tmp_path: Path) -> None:
    cells: list[dict[str, Any]] = [{"cell_type": "code", "source": CLEAN, "metadata": {}, "outputs": [], "execution_count": None}]
    path = tmp_path / "train.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    svg = run("show", "--svg", "-", path).stdout
    ((x, words),) = set(re.findall(r'<text x="([\d.]+)"[^>]*class="soft right">(cell:line)<', svg))
    assert float(x) - len(words) * CHARACTER > 0
