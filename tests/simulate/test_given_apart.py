"""What comes in several parts, or is handed to unknown code in parts: unpacked results, lists of losses, names of helpers."""

from __future__ import annotations

from scripts import codes

TASKS = """\
import torch


class Policy:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def learn(self, data):
        total, entropy, losses = 0.0, 0.0, []
        for batch, target in data:
            found = self.model.losses(batch, target)
            total += found.main
            losses.append(found.main)
            entropy += found.entropy
        entropy = entropy / len(data)
        self.optimizer.zero_grad()
        {backward}
        self.optimizer.step()
"""


def test_unknown_code_weighs_the_losses_of_a_list_as_it_likes() -> None:
    assert codes(TASKS.format(backward="self.balance.backward(losses)")) == set()


def test_each_backward_pass_of_an_update_covers_all_tasks() -> None:
    assert codes(TASKS.format(backward="(total + entropy).backward()")) == set()
    both = "self.balance.backward(losses)\n        (total + entropy).backward()"
    assert codes(TASKS.format(backward=both)) == set()


def test_parts_of_nothing_are_different_things() -> None:
    text = """\
class Trainer:
    def fit(self, model, loader, args):
        self.optimizers, self.schedules = self.built(None)
        for index, batch in enumerate(loader):
            (model(batch).loss / args.accum_steps).backward()
            if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
                for optimizer in self.optimizers:
                    optimizer.step()
                    optimizer.zero_grad()
            for schedule in self.schedules:
                schedule.step(epoch=index)

    def built(self, made):
        made, schedules = made
        return made, schedules
"""
    assert "GRD204" not in codes(text)


def test_gradients_that_are_none_become_zeros() -> None:
    text = """\
import torch
from misc import {helper}


def fit(model, loader, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for index, batch in enumerate(loader):
        (model(batch).loss / args.accum_steps).backward()
        {helper}(model)
        if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""
    assert codes(text.format(helper="zero_none_grad")) == set()
    assert "GRD206" in codes(text.format(helper="zero_grads"))


def test_what_only_an_exception_clears_leaves_all_other_windows() -> None:
    text = """\
import torch


def fit(model, loader, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for index, batch in enumerate(loader):
        try:
            (model(batch).loss / args.accum_steps).backward()
        except RuntimeError:
            optimizer.zero_grad()
        if (index + 1) % args.accum_steps == 0 or index + 1 == len(loader):
            optimizer.step()
"""
    assert codes(text) == {"GRD205"}
