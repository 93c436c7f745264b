"""Methods that an object is given, and those that have the name of a method of the text but belong to another object."""

from __future__ import annotations

from scripts import codes

GIVEN_TO_ITS_WRAPPER = """
import torch
from torch.nn.parallel import DistributedDataParallel


class Runner:
    def __init__(self, model, args):
        self.args = args
        self.model = self.wrapped(model, ["batches_of"])

    def wrapped(self, model, names):
        if torch.distributed.is_initialized():
            model = DistributedDataParallel(model)
            for name in names:
                setattr(model, name, getattr(model.module, name))
        return model

    def train(self):
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        loader = self.model.batches_of("train")
        for index, batch in enumerate(loader):
            loss = self.model(batch) / self.args.accumulate
            loss.backward()
            if (index + 1) % self.args.accumulate == 0 or index + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""

STEP_OF_THE_MODEL = """
import lightning as L


class Trainer:
    def __init__(self, every=1):
        self.fabric = L.Fabric()
        self.every = every

    def fit(self, model, optimizer, loader):
        model, optimizer = self.fabric.setup(model, optimizer)
        for index, batch in enumerate(loader):
            self.training_step(model, batch)
            if (index + 1) % self.every == 0 or index + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()

    def training_step(self, model, batch):
        loss = model.training_step(batch)
        self.fabric.backward(loss)
"""

OWN_UPDATE_OF_THE_MODEL = """
import torch


class Trainer:
    def __init__(self, model, optimizer, loader, every=1):
        self.model = model
        self.optimizer = optimizer
        self.loader = loader
        self.every = every

    def fit(self):
        for index, batch in enumerate(self.loader):
            if isimplemented(self.model, "optimize"):
                self.model.optimize(batch, self)
            else:
                full = (index + 1) % self.every == 0 or index + 1 == len(self.loader)
                self.optimize(batch, self.model, full)

    def optimize(self, batch, model, full):
        loss = model(batch)
        loss.backward()
        if full:
            self.optimizer.step()
            self.optimizer.zero_grad()
"""


def test_a_wrapper_that_is_given_the_methods_of_its_model_has_them() -> None:
    assert codes(GIVEN_TO_ITS_WRAPPER) == {"GRD601"}


def test_a_step_that_asks_the_model_for_its_own_step_does_not_ask_itself() -> None:
    assert codes(STEP_OF_THE_MODEL) == {"GRD101"}
    assert codes(STEP_OF_THE_MODEL.replace("backward(loss)", "backward(loss / self.every)")) == set()


def test_what_an_object_asks_of_one_that_it_holds_is_no_call_of_its_own_method() -> None:
    assert codes(OWN_UPDATE_OF_THE_MODEL) == {"GRD101"}
    assert codes(OWN_UPDATE_OF_THE_MODEL.replace("model(batch)", "model(batch) / self.every")) == set()


def test_whether_an_object_has_something_is_the_same_on_every_micro_batch() -> None:
    asked = OWN_UPDATE_OF_THE_MODEL.replace("isimplemented(", "has_own(")
    assert codes(asked.replace("model(batch)", "model(batch) / self.every")) == set()
