"""The way to an update: settings that lead past it are turned over, one after the other."""

from __future__ import annotations

from scripts import codes

TWO_SETTINGS = """
import torch
from apex import amp


def fit(model, optimizer, loader, use_apex, every=1):
    def train_batch(index, loss):
        if use_apex:
            with amp.scale_loss(loss, optimizer) as scaled_loss:
                scaled_loss.backward()
        else:
            loss.backward()
            if (index + 1) % every == 0 or index + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()

    for index, batch in enumerate(loader):
        if has_own(model, "train_batch"):
            model.train_batch(batch)
        else:
            train_batch(index, model(batch))
"""


def test_two_settings_are_turned_over_to_come_to_an_update() -> None:
    assert codes(TWO_SETTINGS) == {"GRD101"}
    assert codes(TWO_SETTINGS.replace("model(batch))", "model(batch) / every)")) == set()
