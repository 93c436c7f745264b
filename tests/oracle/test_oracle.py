"""What is reported is what happens, and what is fixed trains as the large batch does: for programs that nobody wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the programs train under PyTorch: install the extra `proof`")
pytest.importorskip("accelerate", reason="some programs train under Accelerate: install the extra `proof`")

from .draw import draw
from .plan import Plan
from .theorems import Judgement, judge

PROGRAMS = 300


@st.composite
def plans(choose: st.DrawFn) -> Plan:
    """Any consistent plan; it shrinks to the plainest choices."""

    def one_of(options: Sequence[Any]) -> Any:
        return choose(st.sampled_from(list(options)))

    return draw(one_of, one_of)


@settings(max_examples=PROGRAMS, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans())
def test_theorems(plan: Plan) -> None:
    judged = judge(plan)
    assert judged.right, account(judged)


def test_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.oracle", "--programs", "4", "--workers", "1", "--failures", str(tmp_path)]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False)
    assert ran.stdout.startswith("Seed 0. 50 programs"), ran.stderr
    assert "| all |" in ran.stdout
    assert "unsound: 0 programs" in ran.stdout


def account(judged: Judgement) -> str:
    """What a program shows, for the reader of a failed test."""
    return "\n".join(
        (
            f"shown {sorted(judged.observed)}, reported {sorted(judged.reported)}, unknown {sorted(judged.unknown)}",
            f"after the fixes of {judged.applied}: shown {sorted(judged.observed_after)}, reported {sorted(judged.reported_after)}",
            *judged.broken,
            judged.text,
            "fixed:" if judged.fixed != judged.text else "",
            judged.fixed if judged.fixed != judged.text else "",
        )
    )
