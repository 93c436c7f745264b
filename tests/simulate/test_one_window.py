"""Runs in which one window is all that is seen."""

from __future__ import annotations

from scripts import codes

SAMPLES = """\
import torch


class Task:
    def __init__(self):
        self.period = 1
        self.seen = 0
        self.phase = "train"
        self.simulated = None
        self.datasets = {}

    def size(self):
        return self.datasets[self.phase].size()

    def prepare(self):
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        if self.simulated is not None:
            if self.simulated % self.size() != 0:
                raise ValueError(self.simulated)
        else:
            self.simulated = self.size()
        self.period = self.simulated // self.size()

    def load(self, state):
        self.seen = state["seen"]

    def train_step(self):
        sample = next(self.batches)
        self.update(self.loss(self.model(sample["input"]), sample["target"]))
        self.seen += self.size()

    def update(self, loss):
        index = self.seen // self.size()
        if index % self.period == 0:
            self.optimizer.zero_grad()
        loss.backward()
        if index % self.period == self.period - 1:
            for param in self.model.parameters():
                param.grad.data.mul_(1 / self.period)
            self.optimizer.step()
"""


def test_a_count_of_samples_in_batches_of_unknown_size_says_nothing_about_the_beginning_of_a_window() -> None:
    assert codes(SAMPLES) == set()


SKIPPED = """\
import torch


def train(model, loader, optimizer, criterion, n):
    updates = 0
    for i, (x, y) in enumerate(loader):
        (criterion(model(x), y) / n).backward()
        if (i + 1) % n == 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            if updates > 0:
                optimizer.step()
            optimizer.zero_grad()
            updates += 1
"""


def test_a_first_step_that_is_left_out_does_not_make_two_windows_of_one() -> None:
    assert not codes(SKIPPED) & {"GRD203", "GRD301"}
