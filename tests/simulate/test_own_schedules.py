"""Schedules of a class of the text that derives from one of PyTorch's."""

from __future__ import annotations

import pytest
from scripts import HEAD, codes

_BY_FACTOR = """
class Warmup(torch.optim.lr_scheduler.LambdaLR):
    def __init__(self, optimizer, warm, total):
        self.warm, self.total = warm, total
        super().__init__(optimizer, self.lr_lambda)

    def lr_lambda(self, step):
        return min(step / self.warm, (self.total - step) / self.total)
"""
_BY_RATE = """
class Warmup(torch.optim.lr_scheduler._LRScheduler):
    def __init__(self, optimizer, warm, total, last_epoch=-1):
        self.warm = warm
        self.total = total
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        share = min(self.last_epoch / self.warm, (self.total - self.last_epoch) / self.total)
        return [rate * share for rate in self.base_lrs]
"""
_TRAIN = """
def train(model, criterion, dataset, args):
    loader = DataLoader(dataset, batch_size=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = Warmup(optimizer, args.warm, args.epochs * len(loader))
    for epoch in range(args.epochs):
        for i, (x, y) in enumerate(loader):
            loss = criterion(model(x), y) / args.accum_steps
            loss.backward()
            if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
"""


@pytest.mark.parametrize("own", [_BY_FACTOR, _BY_RATE])
def test_the_length_given_to_a_class_of_the_text_is_a_length(own: str) -> None:
    assert codes(HEAD + own + _TRAIN) == {"GRD402"}
    updates = _TRAIN.replace("* len(loader))", "* -(-len(loader) // args.accum_steps))")
    assert codes(HEAD + own + updates) == set()


@pytest.mark.parametrize("own", [_BY_FACTOR, _BY_RATE])
def test_it_may_advance_per_micro_batch_if_it_counts_them(own: str) -> None:
    late = "                scheduler.step()\n                optimizer.zero_grad()\n"
    each = _TRAIN.replace(late, late.replace("                scheduler.step()\n", "") + "            scheduler.step()\n")
    assert codes(HEAD + own + each) == set()


def test_a_factor_that_divides_by_the_accumulation_steps_is_left_alone() -> None:
    own = _BY_FACTOR.replace("warm, total):", "warm, total, n):").replace("warm, total\n", "warm, total\n        self.n = n\n")
    own = own.replace("(self.total - step) / self.total", "(self.total / self.n - step) / self.total")
    given = _TRAIN.replace("* len(loader))", "* len(loader), args.accum_steps)")
    assert codes(HEAD + own + given) == set()


def test_a_step_of_its_own_makes_it_no_schedule_that_is_known() -> None:
    own = _BY_FACTOR + "\n    def step(self, epoch=None):\n        self.count = epoch\n"
    assert codes(HEAD + own + _TRAIN) == set()
