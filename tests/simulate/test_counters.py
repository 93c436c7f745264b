"""Counters of micro-batches that the caller of the loop keeps."""

from __future__ import annotations

import pytest
from scripts import codes

COUNTS = {
    "a list": ("seen[0] += 1", "seen[0]"),
    "a dictionary": ('seen["done"] += 1', 'seen["done"]'),
    "an entry that is assigned": ("seen[0] = seen[0] + 1", "seen[0]"),
}


def counted(count: str, test: str) -> str:
    """A pass whose function counts its micro-batches with a container of its caller, in windows of two."""
    return f"""\
import torch


def run_pass(model, criterion, loader, optimizer, seen):
    for i, (x, y) in enumerate(loader):
        {count}
        (criterion(model(x), y) / 2).backward()
        if {test} % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize("count", COUNTS)
def test_nobody_knows_the_first_window_of_a_count_that_a_caller_begins(count: str) -> None:
    assert "GRD201" not in codes(counted(*COUNTS[count]))


def test_a_count_that_the_loop_begins_has_a_first_window() -> None:
    assert "GRD201" in codes(counted("pass", "i"))
