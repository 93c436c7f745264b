"""Where a step inside of the windows is wrong itself, the runs also say whether the other one closes them on the right micro-batch."""

from __future__ import annotations

import pytest
from scripts import codes, training

CLOSES = """\
if {asks}:
    optimizer.step()
    optimizer.zero_grad()
"""
BACKWARD = "(criterion(model(x), y) / args.accum_steps).backward()\n"
FIRST, LAST = "i % args.accum_steps == 0", "(i + 1) % args.accum_steps == 0"
STEP = "optimizer.step()\n"


@pytest.mark.parametrize(("before", "behind"), [("", STEP), (STEP, "")])
def test_windows_begin_one_too_early_beside_a_step_on_every_micro_batch(before: str, behind: str) -> None:
    found = codes(training(BACKWARD + before + CLOSES.format(asks=FIRST) + behind))
    assert found >= {"GRD201", "GRD204"}
    assert "GRD202" not in found  # each micro-batch was used by the other step


@pytest.mark.parametrize(("before", "behind"), [("", STEP), (STEP, "")])
def test_windows_that_end_where_they_should_are_not_shifted(before: str, behind: str) -> None:
    assert "GRD201" not in codes(training(BACKWARD + before + CLOSES.format(asks=LAST) + behind))


def test_where_each_micro_batch_is_cleared_there_is_no_window_to_be_shifted() -> None:
    assert "GRD201" not in codes(training(BACKWARD + CLOSES.format(asks=FIRST) + STEP + "optimizer.zero_grad()\n"))


def test_a_step_that_the_data_decide_says_nothing_of_the_windows() -> None:
    behind = f"if criterion(model(x), y) > 1:\n    {STEP}"
    assert "GRD201" not in codes(training(BACKWARD + CLOSES.format(asks=FIRST) + behind))


def test_a_counter_that_a_caller_begins_is_not_judged() -> None:
    body = BACKWARD + "seen += 1\n" + CLOSES.format(asks="seen % args.accum_steps == 0") + STEP
    assert "GRD201" not in codes(training(body, setup="seen = args.start_step\n"))
