"""A sum over the rows of a micro-batch that is divided by how many these are is a mean, and nothing adds up to the window's."""

from __future__ import annotations

import pytest
from scripts import codes, training

BODY = """
errors = criterion(model(x), y)
loss = {loss}
loss.backward()
if (i + 1) % args.accum_steps == 0:
    optimizer.step()
    optimizer.zero_grad()
"""
TAIL = "GRD202"


def told(loss: str) -> set[str]:
    return codes(training(BODY.format(loss=loss))) - {TAIL}


@pytest.mark.parametrize(
    "loss",
    [
        "errors.sum() / errors.shape[0]",
        "errors.sum() / x.size(0)",
        "errors.sum() / len(x)",
    ],
)
def test_a_mean_that_is_spelled_out_is_divided_by_nothing_else(loss: str) -> None:
    assert told(loss) == {"GRD101"}
    assert told(f"({loss}) / args.accum_steps") == set()


@pytest.mark.parametrize(
    "loss",
    [
        "errors.sum()",
        "errors.sum() / x.size(1)",
        "errors.sum() / x.shape[1]",
        "errors.sum() / x.size(dim=-1)",
        "errors.sum() / args.rows_of_all",
    ],
)
def test_a_sum_that_something_else_divides_may_be_the_sum_over_the_window(loss: str) -> None:
    assert told(loss) == set()


def test_rows_of_an_output_that_the_model_made_of_a_batch_by_its_names() -> None:
    body = BODY.replace("criterion(model(x), y)", "model(**x)[0]")
    assert codes(training(body.format(loss="errors.sum() / errors.shape[0]"))) - {TAIL} == {"GRD101"}


def test_rows_of_a_whole_that_was_made_before_the_loop_over_its_pieces() -> None:
    script = """
def fit(model, optimizer, criterion, scenes, size, updates):
    for update in range(updates):
        target = scenes.draw().reshape(-1, 3)
        rows = target.shape[0]
        optimizer.zero_grad()
        for start in range(0, rows, size):
            loss = criterion(model(start), target[start : start + size], reduction="sum") / (3 * rows)
            loss.backward()
        optimizer.step()
"""
    assert codes(script) == set()


def test_rows_of_the_whole_batch_divide_its_pieces_alike() -> None:
    script = """
def fit(model, loader, optimizer, criterion, size):
    for batch in loader:
        optimizer.zero_grad()
        for start in range(0, len(batch), size):
            loss = criterion(model(batch[start : start + size])).sum() / len(batch)
            loss.backward()
        optimizer.step()
"""
    assert codes(script) == set()
    assert codes(script.replace("/ len(batch)", "/ len(batch[start : start + size])")) == {"GRD101"}


def test_a_sum_is_one_number() -> None:
    """A loss that was summed over its rows has one element: what divides by that leaves the sum what it is."""
    assert told("errors.sum() / errors.sum().numel()") == set()


WEIGHTED = """
import torch
import torch.nn.functional as F


def train(model, loader, optimizer, n):
    for i, (x, y, w) in enumerate(loader):
        out = model(x)
        loss = {loss}
        loss.backward()
        if (i + 1) % n == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    "loss",
    [
        "(-y * F.log_softmax(out, -1)).sum(-1).mean()",
        "torch.mean(torch.sum(-y * F.log_softmax(out, dim=1), dim=1))",
        "(w * F.cross_entropy(out, y, reduction='none')).mean()",
        "((out - y).abs() * w).mean() + 0.1 * (out * y).mean()",
    ],
)
def test_weights_of_rows_that_the_data_give_leave_a_mean(loss: str) -> None:
    assert codes(WEIGHTED.format(loss=loss)) == {"GRD101"}
    assert codes(WEIGHTED.format(loss=f"({loss}) / n")) == set()


@pytest.mark.parametrize("loss", ["F.mse_loss(out, y) * w", "(F.mse_loss(out, y) * w.sum()).mean()"])
def test_a_weight_of_the_whole_micro_batch_may_be_its_share_of_the_window(loss: str) -> None:
    assert codes(WEIGHTED.format(loss=loss)) == set()
