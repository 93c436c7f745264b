"""Lightning's manual optimization: the index of a batch begins again with every epoch, and the Trainer says when one ends."""

from __future__ import annotations

import pytest
from scripts import codes

MODULE = """
import lightning as L
import torch


class Net(L.LightningModule):
    def __init__(self, net, criterion, accum_steps):
        super().__init__()
        self.automatic_optimization = False
        self.net, self.criterion, self.accum_steps = net, criterion, accum_steps

    def configure_optimizers(self):
        return torch.optim.SGD(self.net.parameters(), lr=0.1)

    def training_step(self, batch, {index}):
        x, y = batch
        optimizer = self.optimizers()
        loss = self.criterion(self.net(x), y) / self.accum_steps
        self.manual_backward(loss)
        if {test}:
            optimizer.step()
            optimizer.zero_grad()
"""
AT_THE_END = """
    def on_train_epoch_end(self):
        optimizer = self.optimizers()
        optimizer.step()
        optimizer.zero_grad()
"""
BOUNDARY = "(batch_idx + 1) % self.accum_steps == 0"


@pytest.mark.parametrize("index", ["batch_idx", "i"])
def test_an_epoch_that_ends_within_a_window_leaves_a_tail(index: str) -> None:
    assert codes(MODULE.format(index=index, test=BOUNDARY.replace("batch_idx", index))) == {"GRD202"}


@pytest.mark.parametrize("flush", ["self.trainer.is_last_batch", "batch_idx + 1 == self.trainer.num_training_batches"])
def test_a_trainer_says_which_batch_is_the_last(flush: str) -> None:
    assert codes(MODULE.format(index="batch_idx", test=f"{BOUNDARY} or {flush}")) == set()


def test_a_module_may_flush_at_the_end_of_an_epoch() -> None:
    assert codes(MODULE.format(index="batch_idx", test=BOUNDARY) + AT_THE_END) == set()


def test_the_first_index_is_zero() -> None:
    assert "GRD201" in codes(MODULE.format(index="batch_idx", test="batch_idx % self.accum_steps == 0"))
