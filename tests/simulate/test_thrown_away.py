"""What the runs say of the tails of a loop whose N grows during a warm-up: no window is known, but what is cleared is."""

from __future__ import annotations

import pytest
from scripts import codes

HEAD = """\
import numpy as np
import torch
from torch.utils.data import DataLoader


def train(model, criterion, dataset, args, nw, start):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(dataset, batch_size=16)
    nb = len(loader)
    last = -1
    for epoch in range({start}, args.epochs):
"""
PASS = """\
        for i, (x, y) in enumerate(loader):
            ni = i + nb * epoch
            if ni <= nw:
                accumulate = {steps}
            criterion(model(x), y).backward()
            if {asks}:
                optimizer.step()
                optimizer.zero_grad()
                last = ni
"""
ZERO = "        optimizer.zero_grad()\n"
GROWS = "max(1, np.interp(ni, [0, nw], [1, 64 / 16]).round())"
ON_MULTIPLES = "ni % accumulate == 0"


def warm_up(asks: str = ON_MULTIPLES, before: str = ZERO, behind: str = "", steps: str = GROWS, start: str = "0") -> str:
    """A loop whose N grows with a counter that goes on over the epochs."""
    return HEAD.format(start=start) + before + PASS.format(asks=asks, steps=steps) + behind


@pytest.mark.parametrize("asks", [ON_MULTIPLES, "(i + 1) % accumulate == 0", "ni - last >= accumulate"])
def test_what_an_epoch_leaves_is_cleared_by_the_next(asks: str) -> None:
    assert "GRD202" in codes(warm_up(asks))


def test_it_is_cleared_as_well_where_the_epoch_ends() -> None:
    assert "GRD202" in codes(warm_up(before="", behind=ZERO))


def test_of_a_resumed_run_more_than_one_pass_is_seen() -> None:
    assert "GRD202" in codes(warm_up(start='torch.load(args.weights)["epoch"] + 1'))


def test_gradients_that_go_on_with_their_counter_are_not_lost() -> None:
    assert "GRD202" not in codes(warm_up(before=""))


def test_gradients_cleared_before_the_first_epoch_alone_are_not_lost() -> None:
    assert "GRD202" not in codes(warm_up(before="        if epoch == 0:\n    " + ZERO))


@pytest.mark.parametrize("asks", [ON_MULTIPLES, "ni - last >= accumulate"])
def test_the_end_of_an_epoch_closes_a_window(asks: str) -> None:
    assert "GRD202" not in codes(warm_up(f"{asks} or i + 1 == nb"))


@pytest.mark.parametrize(
    "condition",
    [
        "True",
        "last != ni",
        "args.flush",
        "torch.isfinite(criterion(model(x), y))",
        "any(p.grad is not None for p in model.parameters())",
    ],
)
def test_a_step_behind_the_epoch_uses_what_is_left(condition: str) -> None:
    behind = f"        if {condition}:\n            optimizer.step()\n"
    assert "GRD202" not in codes(warm_up(behind=behind))


def test_where_one_setting_flushes_nothing_is_said() -> None:
    assert "GRD202" not in codes(warm_up(f"{ON_MULTIPLES} or (args.flush and i + 1 == nb)"))


def test_a_window_kept_within_what_is_left_of_the_epoch_ends_with_it() -> None:
    assert codes(warm_up(steps=f"min({GROWS}, nb - i)")).isdisjoint(("GRD202", "GRD210"))


def test_an_endless_stream_has_no_tail() -> None:
    assert "GRD202" not in codes(warm_up().replace("enumerate(loader)", "enumerate(cycle(loader))"))
