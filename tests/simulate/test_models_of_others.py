"""A model of unknown code that backpropagates and steps by itself is no engine if it is handed the optimizer."""

from __future__ import annotations

import pytest
from scripts import codes

SCRIPT = """
import torch


class Trainer:
    def __init__(self, accumulate):
        self.accumulate = accumulate
        self.schedulers = []

    def prepare(self, optimizers):
        optimizers, schedulers = optimizers
        return optimizers, schedulers

    def fit(self, model, loader):
        self.optimizers, self.schedulers = self.prepare(model.configure_optimizers())
        for epoch in range(3):
            for i, batch in enumerate(loader):
                for optimizer in self.optimizers:
                    loss = model.training_step(batch, i) / self.accumulate
                    model.backward({given})
                    if (i + 1) % self.accumulate == 0:
                        model.optimizer_step(epoch, i, optimizer)
            for scheduler in self.schedulers:
                scheduler.step(epoch=epoch)
"""


@pytest.mark.parametrize("given", ["loss, optimizer", "loss, optimizer=optimizer"])
def test_its_backward_pass_does_not_divide(given: str) -> None:
    assert codes(SCRIPT.format(given=given)) == {"GRD202"}


def test_an_engine_divides() -> None:
    assert "GRD102" in codes(SCRIPT.format(given="loss").replace("model.optimizer_step(epoch, i, optimizer)", "pass"))
