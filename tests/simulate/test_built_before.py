"""What is built before any loop is nothing of a micro-batch, whatever it is built from."""

from __future__ import annotations

from scripts import codes

FROM_FILES = """
import os
from pathlib import Path

import torch
import yaml


class Problem:
    def arguments(self, folder):
        found = {}
        for name in os.listdir(folder):
            with open(Path(folder) / name) as file:
                found[name] = yaml.safe_load(file)
        return found

    def built(self, parameters, name):
        opt = getattr(torch.optim, name)(parameters)
        return opt

    def train(self, loader, train_dir, name, n, resume=True):
        saved = [each for each in os.listdir(train_dir) if each.startswith("step_")]
        if resume and len(saved) > 0:
            task = self.build_task(self.arguments(Path(train_dir) / saved[0]))
        else:
            task = self.build_task({})
        optimizer = self.built(task.parameters(), name)
        for index, batch in enumerate(loader):
            loss = task(batch)
            loss.backward()
            if (index + 1) % n == 0 or index + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""


def test_an_optimizer_of_a_model_that_was_built_from_files_steps() -> None:
    assert codes(FROM_FILES) == {"GRD101"}
    assert codes(FROM_FILES.replace("loss = task(batch)", "loss = task(batch) / n")) == set()


SHARDS = """
import glob

import torch


def train(model, optimizer, folder, n):
    count = 0
    for path in sorted(glob.glob(folder)):
        for batch in torch.load(path):
            loss = model(batch)
            loss.backward()
            count += 1
            if count % n == 0:
                optimizer.step()
                optimizer.zero_grad()
"""


def test_files_of_data_are_walked_as_data() -> None:
    assert "GRD101" in codes(SHARDS)


BUILT_ANEW = """
from torch.optim import AdamW


class Loop:
    def __init__(self, model, data, lr, schedule, every):
        self.model = model
        self.data = data
        self.lr = lr
        self.schedule = schedule
        self.every = every
        self.optimizer = AdamW(model.parameters(), lr=lr)

    def run(self):
        for index, batch in enumerate(self.data):
            self.model(batch).mean().backward()
            if (index + 1) % self.every == 0 or index + 1 == len(self.data):
                self.optimizer.step()
                self.optimizer.zero_grad()
            if self.schedule(batch) != self.schedule(index):
                self.restart()

    def restart(self):
        self.optimizer = AdamW(self.model.parameters(), lr=self.lr)
"""


def test_an_optimizer_that_the_data_build_anew_is_not_built_anew_on_every_micro_batch() -> None:
    assert codes(BUILT_ANEW) == {"GRD101"}
    assert codes(BUILT_ANEW.replace(".mean()", ".mean().div(self.every)")) == set()
