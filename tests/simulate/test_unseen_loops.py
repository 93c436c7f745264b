"""Loops that their authors wrote in ways of their own: what the simulator makes of them."""

from __future__ import annotations

import pytest
from scripts import answers, codes

from gradlint.simulate.verdicts import Answer

PASSES = """\
from itertools import cycle


class Trainer:
    def __init__(self, config, model):
        self.config = config
        self.model = model

    def train(self, optimizer, loader, epochs, num_steps=None):
        if num_steps is not None:
            updates = 0
            for step, batch in enumerate(cycle(loader)):
                loss = self.model(batch) / self.config.accumulation_steps
                loss.backward()
                if (step + 1) % self.config.accumulation_steps == 0:
                    optimizer.step()
                    optimizer.zero_grad()
                    updates += 1
                if updates >= num_steps:
                    return
        for epoch in range(epochs):
            optimizer.zero_grad()
            for step, batch in enumerate(loader):
                loss = self.model(batch) / self.config.accumulation_steps
                loss.backward()
                if (step + 1) % self.config.accumulation_steps == 0:
                    optimizer.step()
                    optimizer.zero_grad()
"""

SYNCHRONISED = """\
import torch


def train(args, model, loader, criterion):
    model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        for step, (image, target) in enumerate(loader):
            optimizer.zero_grad()
            loss = criterion(model(image), target) / args.accum_steps
            if (step + 1) % args.accum_steps == 0 or step + 1 == len(loader):
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            else:
                with model.no_sync():
                    loss.backward()
"""

TAUGHT = """\
import torch
from torch.nn.parallel import DistributedDataParallel


def train(student, teacher, loader, criterion, args):
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    if args.local_rank != -1:
        teacher = DistributedDataParallel(teacher)
    for epoch in range(args.epochs):
        for i, x in enumerate(loader):
            loss = criterion(student(x), teacher(x).detach()) / args.accum_steps
            loss.backward()
            if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""

SCHEDULED = """\
import torch


def train(loader, criterion, config):
    model, optimizer = build(config)
    scaler = torch.amp.GradScaler()
    step = 1
    while True:
        for batch in loader:
            loss = criterion(model(batch), batch) / config["grad_acc_step"]
            {backward}
            if step % config["grad_acc_step"] == 0:
                {step}
                optimizer.zero_grad()
            step += 1
"""

TWO_STREAMS = """\
import torch


def train(model, critic, source, target, criterion, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sources, targets = enumerate(source), enumerate(target)
    for step in range(args.num_steps):
        optimizer.zero_grad()
        for part in range(args.accum_steps):
            _, batch = next(sources)
            loss = criterion(model(batch), batch) / args.accum_steps
            loss.backward()
            _, other = next(targets)
            loss = critic(model(other)){divided}
            loss.backward()
        optimizer.step()
"""

CLIPPED = """\
import torch


def train(model, criterion, loader, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(args.epochs):
        for i, (x, y) in enumerate(loader):
            criterion(model(x), y).backward()
            if (i + 1) % {every} == 0:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
"""

TOTALS = """\
import itertools


def train_one_epoch(model, data, criterion, step, optimizer, total_steps, args):
    batches = iter(data)
    for i in itertools.count():
        if step >= total_steps:
            break
        loss = criterion(model(next(batches)))
        loss.backward()
        if (i + 1) % args.accum_freq == 0:
            optimizer.step()
            optimizer.zero_grad()
            step += 1
"""

BALANCED = """\
from experts import balancing


def train(model, loader, criterion, optimizer, args):
    for texts in loader:
        optimizer.zero_grad()
        rows = args.batch_size // args.accum_freq
        inputs, targets = texts[:, :-1], texts[:, 1:]
        for i in range(args.accum_freq):
            part, wanted = inputs[i * rows : (i + 1) * rows], targets[i * rows : (i + 1) * rows]
            loss = criterion(model(part), wanted) * part.shape[0] / inputs.shape[0]
            loss += balancing(args)
            loss.backward()
        optimizer.step()
"""

PENALISED = """\
import losses


def train(discriminator, data, optimizer, config):
    for step in range(config.total_steps):
        optimizer.zero_grad()
        for _ in range(config.accum_steps):
            images = next(data)
            loss = losses.adversarial(discriminator(images))
            if step % config.interval == 0:
                loss = loss + losses.penalty(discriminator(images), images)
            (loss / config.accum_steps).backward()
        optimizer.step()
"""


def test_a_loop_behind_another_one_that_returns_is_judged_too() -> None:
    assert codes(PASSES) == {"GRD202"}
    assert {each.answer for each in answers(PASSES)} == {Answer.VERIFIED, Answer.WRONG}


def test_the_last_micro_batch_of_a_window_may_have_a_backward_pass_of_its_own() -> None:
    assert "GRD203" in codes(SYNCHRONISED)
    assert "GRD203" not in codes(SYNCHRONISED.replace("            optimizer.zero_grad()\n            loss", "            loss"))


def test_a_wrapped_teacher_reduces_nothing() -> None:
    assert codes(TAUGHT) == set()
    assert codes(TAUGHT.replace("teacher = Dist", "student = Dist").replace("Parallel(teacher", "Parallel(student")) == {"GRD601"}


@pytest.mark.parametrize(
    ("backward", "step"),
    [
        ("loss.backward()", "optimizer.step_and_update_lr()"),
        ("scaler.scale(loss).backward()", "optimizer.step_and_update_lr(scaler)\n                scaler.update()"),
        (
            "scaler.scale(loss).backward()",
            "scaler.unscale_(optimizer._optimizer)\n                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
            "                optimizer.step_and_update_lr(scaler)\n                scaler.update()",
        ),
    ],
)
def test_an_optimizer_that_keeps_its_schedule_steps(backward: str, step: str) -> None:
    assert [each.answer for each in answers(SCHEDULED.format(backward=backward, step=step))] == [Answer.VERIFIED]


def test_what_two_streams_give_in_an_iteration_is_one_micro_batch() -> None:
    assert [each.answer for each in answers(TWO_STREAMS.format(divided=" / args.accum_steps"))] == [Answer.VERIFIED]
    assert codes(TWO_STREAMS.format(divided="")) == {"GRD101"}


def test_a_clip_once_in_n_micro_batches_shows_that_the_step_was_meant_to_come_with_it() -> None:
    assert codes(CLIPPED.format(every="args.accum_steps")) == {"GRD204"}
    assert codes(CLIPPED.format(every="args.log_every")) == set()


def test_a_parameter_that_bounds_a_count_does_not_count() -> None:
    assert "GRD101" in codes(TOTALS)


def test_a_term_beside_a_loss_of_parts_of_one_batch_is_not_the_whole_loss() -> None:
    assert codes(BALANCED) == set()


def test_a_penalty_that_is_due_is_part_of_each_micro_batch() -> None:
    assert codes(PENALISED) == set()


IN_ARMS = """
class Trainer:
    def __init__(self, config, model):
        self.config = config
        self.model = model

    def once(self, optimizer, loader):
        for step, batch in enumerate(loader):
            loss = self.model(batch) / self.config.accumulation_steps
            loss.backward()
            if (step + 1) % self.config.accumulation_steps == 0 or step + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()

    def often(self, optimizer, loader, epochs):
        for epoch in range(epochs):
            for step, batch in enumerate(loader):
                loss = self.model(batch)
                loss.backward()
                if (step + 1) % self.config.accumulation_steps == 0:
                    optimizer.step()
                    optimizer.zero_grad()

    def train(self, optimizer, loader, epochs=None):
        if epochs is None:
            self.once(optimizer, loader)
        else:
            self.often(optimizer, loader, epochs)
"""


def test_each_of_two_loops_between_which_a_setting_chooses_is_judged() -> None:
    assert {answer.answer for answer in answers(IN_ARMS)} == {Answer.VERIFIED, Answer.WRONG}
    assert codes(IN_ARMS) == {"GRD101", "GRD202"}


RETURNED = """
def training_function(net, optimizer, config):
    def train(parts, labels):
        optimizer.zero_grad()
        for index in range(config["accumulations"]):
            loss = net(parts[index], labels[index])
            loss.backward()
        optimizer.step()

    return train
"""


def test_a_function_that_is_returned_is_called_by_others() -> None:
    assert codes(RETURNED) == {"GRD101"}
    (verdict,) = answers(RETURNED.replace("labels[index])", 'labels[index]) / config["accumulations"]'))
    assert verdict.answer is Answer.VERIFIED
