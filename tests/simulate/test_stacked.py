"""Losses that lie one upon another, and what their mean or sum is divided by."""

from __future__ import annotations

import pytest
from scripts import codes, training

UPDATE = "    optimizer.step()\n    optimizer.zero_grad()\n    losses = []\n"


def of_window(part: str, whole: str) -> str:
    """A script that collects the losses of a window and backpropagates them at once."""
    guard = "if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n"
    return training(f"losses.append({part})\n{guard}    {whole}.backward()\n{UPDATE}", setup="losses = []\n")


@pytest.mark.parametrize(
    ("part", "whole", "fault"),
    [
        ("criterion(model(x), y)", "torch.stack(losses).mean()", set()),
        ("criterion(model(x), y)", "torch.mean(torch.stack(losses))", set()),
        ("criterion(model(x), y)", "torch.stack(losses).mean(dim=0)", set()),
        ("criterion(model(x), y)", "torch.stack(losses).sum()", {"GRD101"}),
        ("criterion(model(x), y) / args.accum_steps", "torch.stack(losses).sum()", set()),
        ("criterion(model(x), y) / args.accum_steps", "torch.stack(losses).mean()", {"GRD102"}),
    ],
)
def test_the_mean_of_a_window_divides_it(part: str, whole: str, fault: set[str]) -> None:
    assert codes(of_window(part, whole)) - {"GRD504"} == fault


def test_the_mean_of_two_losses_of_a_micro_batch_is_none_of_the_window() -> None:
    update = UPDATE.replace("    losses = []\n", "")
    body = "loss = torch.stack([criterion(model(x), y), criterion(model(x), x)]).mean() / args.accum_steps\nloss.backward()\n"
    assert codes(training(f"{body}if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n{update}")) == set()
