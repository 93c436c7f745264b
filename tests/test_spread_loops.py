"""Loops spread over several files: the backward pass, the step and the loop around them are each in another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradlint.config.selection import Layer, Selection
from gradlint.run.runner import process
from gradlint.run.task import FileResult, Task

EVERYTHING = Selection((Layer(select=("ALL",)),))


@pytest.fixture(autouse=True)
def repository(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").touch()


def checked(folder: Path, name: str) -> FileResult:
    path = folder / name
    return process(str(path), path.read_bytes(), Task(EVERYTHING))


def findings(folder: Path, **texts: str) -> set[tuple[str, int, str]]:
    """What is found in each file of a repository: the module, the row and the rule."""
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    results = {name: checked(folder, f"{name}.py") for name in texts}
    assert not any(each.crash for each in results.values())
    return {(name, each.span.start.row, each.code) for name, result in results.items() for each in result.diagnostics}


def answers(folder: Path, name: str) -> list[str]:
    return [each.answer for each in checked(folder, name).loops]


GUARDED_STEP = """\
def update(i, n, optimizer):
    if (i + 1) % n == 0:
        optimizer.step()
        optimizer.zero_grad()
"""
LOOP_AROUND_GUARDED_STEP = """\
from steps import update


def train(model, optimizer, loader, n):
    for i, batch in enumerate(loader):
        loss = model(batch).mean() / n
        loss.backward()
        update(i, n, optimizer)
"""


def test_a_step_and_its_guard_are_in_a_helper(tmp_path: Path) -> None:
    found = findings(tmp_path, loop=LOOP_AROUND_GUARDED_STEP, steps=GUARDED_STEP)
    assert found == {("steps", 2, "GRD202")}


def test_a_loop_whose_helper_steps_is_right(tmp_path: Path) -> None:
    flushed = "def update(i, n, total, optimizer):\n    if (i + 1) % n == 0 or i + 1 == total:\n"
    steps = flushed + "        optimizer.step()\n        optimizer.zero_grad()\n"
    loop = LOOP_AROUND_GUARDED_STEP.replace("update(i, n, ", "update(i, n, len(loader), ")
    assert findings(tmp_path, loop=loop, steps=steps) == set()
    assert answers(tmp_path, "loop.py") == ["verified"]


BACKWARD_OF_A_LOSS = """\
def run_backward(model, batch):
    loss = model(batch).mean()
    loss.backward()
    return loss.item()
"""
LOOP_AROUND_BACKWARD = """\
import torch

from losses import run_backward


def train(model, loader, n, epochs):
    optimizer = torch.optim.AdamW(model.parameters())
    for epoch in range(epochs):
        for i, batch in enumerate(loader):
            run_backward(model, batch)
            if (i + 1) % n == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""


def test_a_backward_pass_is_in_a_helper_and_the_step_is_at_its_caller(tmp_path: Path) -> None:
    found = findings(tmp_path, loop=LOOP_AROUND_BACKWARD, losses=BACKWARD_OF_A_LOSS)
    assert found == {("losses", 3, "GRD101")}


def test_a_loop_whose_helper_divides_is_verified(tmp_path: Path) -> None:
    losses = (
        "def run_backward(model, batch, n):\n    loss = model(batch).mean()\n    (loss / n).backward()\n    return loss.item()\n"
    )
    loop = LOOP_AROUND_BACKWARD.replace("run_backward(model, batch)", "run_backward(model, batch, n)")
    assert findings(tmp_path, loop=loop, losses=losses) == set()
    assert answers(tmp_path, "loop.py") == ["verified"]


def test_a_loop_drops_its_tail_around_a_backward_pass_in_a_helper(tmp_path: Path) -> None:
    loop = LOOP_AROUND_BACKWARD.replace(" or i + 1 == len(loader)", "")
    losses = BACKWARD_OF_A_LOSS.replace("mean()", "mean() / 4").replace("batch)", "batch, n)").replace("/ 4", "/ n")
    losses = losses.replace("model(batch, n)", "model(batch)")
    loop = loop.replace("run_backward(model, batch)", "run_backward(model, batch, n)")
    assert findings(tmp_path, loop=loop, losses=losses) == {("loop", 11, "GRD202")}
    assert answers(tmp_path, "loop.py") == ["wrong"]


TRAINER = """\
import torch


class Trainer:
    def __init__(self, model, n):
        self.model, self.n = model, n
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def micro_step(self, batch):
        loss = self.model(batch).mean() / self.n
        loss.backward()

    def update(self):
        self.optimizer.step()
        self.optimizer.zero_grad()
"""
LOOP_OF_THE_TRAINER = """\
from trainer import Trainer


def main(model, loader, n, epochs):
    trainer = Trainer(model, n)
    for epoch in range(epochs):
        for i, batch in enumerate(loader):
            trainer.micro_step(batch)
            if (i + 1) % n == 0:
                trainer.update()
"""


def test_the_methods_of_a_trainer_are_called_from_the_loop_of_another_file(tmp_path: Path) -> None:
    assert findings(tmp_path, main=LOOP_OF_THE_TRAINER, trainer=TRAINER) == {("trainer", 14, "GRD202")}
    (found,) = checked(tmp_path, "trainer.py").diagnostics
    assert "`main.py:9`" in found.reason


HELPERS = """\
import torch


def backward_of(model, batch, turn, n):
    loss = model(batch, turn).mean() / n
    loss.backward()


def update(optimizer, i, n, total):
    if (i + 1) % n == 0 or i + 1 == total:
        optimizer.step()
        optimizer.zero_grad()
"""
EXECUTOR = """\
import torch

from helpers import backward_of, update


class Executor:
    def __init__(self, generator, discriminator):
        self.generator, self.discriminator = generator, discriminator
        self.optimizer = torch.optim.AdamW(generator.parameters())
        self.optimizer_d = torch.optim.AdamW(discriminator.parameters())

    def plain(self, loader, n):
        for i, batch in enumerate(loader):
            backward_of(self.generator, batch, "plain", n)
            update(self.optimizer, i, n, len(loader))

    def adversarial(self, loader, n):
        for i, batch in enumerate(loader):
            backward_of(self.discriminator, batch, "discriminator", n)
            update(self.optimizer_d, i, n, len(loader))
            self.optimizer.zero_grad()
            backward_of(self.generator, batch, "generator", n)
            update(self.optimizer, i, n, len(loader))
            self.optimizer_d.zero_grad()
"""


def test_every_loop_around_the_same_helpers_is_run(tmp_path: Path) -> None:
    found = findings(tmp_path, executor=EXECUTOR, helpers=HELPERS)
    assert found == {("executor", 21, "GRD203"), ("executor", 24, "GRD203")}
    assert answers(tmp_path, "executor.py") == ["verified", "wrong"]


ENGINE = """\
from losses import run_backward


def train(model, optimizer, scheduler, loader, n):
    for i, batch in enumerate(loader):
        run_backward(model, batch, n)
        if (i + 1) % n == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()
"""
DIVIDED = "def run_backward(model, batch, n):\n    loss = model(batch).mean() / n\n    loss.backward()\n"
PROGRAM = """\
import argparse

import torch

from engine import train


def main(model, loader, n):
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10 * {length})
    for _ in range(10):
        train(model, optimizer, scheduler, loader, n)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=4)
    main(model, loader, parser.parse_args().steps)
"""


@pytest.mark.parametrize(("length", "wrong"), [("len(loader)", False), ("-(-len(loader) // n)", True)])
def test_a_program_two_files_away_decides_about_the_loop(tmp_path: Path, length: str, wrong: bool) -> None:
    found = findings(tmp_path, main=PROGRAM.format(length=length), engine=ENGINE, losses=DIVIDED)
    assert found == ({("engine", 10, "GRD401")} if wrong else set())
