"""What an object of a class out of sight is built with, it holds."""

from __future__ import annotations

from scripts import codes

ENGINE = """
import torch
from engine import AmpTrainer
from torch.nn.parallel import DistributedDataParallel


def wrapped(model, world_size):
    if world_size == 1:
        return model
    return DistributedDataParallel(model)


class Runner:
    def __init__(self, model, optimizer, loader, world_size, every):
        model = wrapped(model, world_size)
        self.trainer = AmpTrainer(model, loader, optimizer)
        self.every = every

    def run(self, batches):
        for index, batch in enumerate(batches):
            loss = self.trainer.model(batch) / self.every
            loss.backward()
            if (index + 1) % self.every == 0 or index + 1 == len(batches):
                self.trainer.optimizer.step()
                self.trainer.optimizer.zero_grad()
"""


def test_the_wrapped_model_of_an_engine_is_the_one_that_was_handed_to_it() -> None:
    assert codes(ENGINE) == {"GRD601"}
    assert codes(ENGINE.replace("AmpTrainer(model, ", "AmpTrainer(None, ")) == set()
