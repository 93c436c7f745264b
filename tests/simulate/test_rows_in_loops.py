"""Losses that a loop adds up over the rows of a batch, after a forward pass for the whole batch."""

from __future__ import annotations

import pytest
from scripts import codes

SCRIPT = """\
import torch
import torch.nn.functional as F


def over_rows(scores, targets):
    loss = 0
    for row, target in enumerate(targets):
        loss += {term}
    return loss


def train(loader, model, n):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    for i, batch in enumerate(loader):
        loss = over_rows(model(batch["x"]), batch["y"])
        loss.backward()
        if (i + 1) % n == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""
TERMS = [
    "F.cross_entropy(scores[row], target)",
    "F.cross_entropy(scores[row, : len(target) - 1], torch.tensor(target[1:]))",
]


@pytest.mark.parametrize("term", TERMS)
def test_their_sum_over_a_window_is_the_large_batch(term: str) -> None:
    assert codes(SCRIPT.format(term=term)) == set()
