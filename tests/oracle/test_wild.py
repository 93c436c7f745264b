"""Wild programs run, show nothing where nothing was put into them, and show each bug that was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the programs train under PyTorch: install the extra `proof`")

from .wild.draw import plans
from .wild.frames import source
from .wild.observe import observe
from .wild.plan import Wild
from .wild.same_trace import NOTHING_TO_COMPARE, difference

PROGRAMS = 40


@pytest.mark.parametrize("plan", plans(2026, PROGRAMS), ids=range(PROGRAMS))
def test_truth(plan: Wild) -> None:
    text = source(plan)
    runs = observe(plan, text)
    assert not runs.errors, text
    assert plan.bugs <= runs.codes, f"{plan}\n{text}"
    assert plan.bugs or not runs.codes, f"{plan}\n{text}"


@pytest.mark.parametrize("plan", plans(11, PROGRAMS), ids=range(PROGRAMS))
def test_simulated_trace_is_the_one_that_pytorch_shows(plan: Wild) -> None:
    for micro_batches in (2 * plan.n, 3 * plan.n - 1):
        assert difference(plan, source(plan), micro_batches) in ("", NOTHING_TO_COMPARE), source(plan)


def test_the_same_seed_gives_the_same_programs() -> None:
    assert plans(5, 30) == plans(5, 40)[:30]
    assert [source(plan) for plan in plans(5, 30)] == [source(plan) for plan in plans(5, 30)]


def test_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.oracle.wild", "--programs", "6", "--jobs", "1", "--failures", str(tmp_path)]
    ran = subprocess.run(
        [*command, "--most", "1"], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.stdout.startswith("Seed 1. 6 programs"), ran.stderr
    assert "| boundary | shown | missed |" in ran.stdout
