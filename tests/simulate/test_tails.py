"""What the judge makes of the micro-batches that a pass leaves over, where they have code of their own."""

from __future__ import annotations

import pytest
from scripts import codes, training

from gradlint.api import check_source

WHOLE, TAIL = "(total / accum_steps).backward()", "total.backward()"


def kept_losses(loss: str, whole: str, tail: str) -> str:
    """A script that keeps the losses of a window, and backpropagates their sum: in the loop, and for what is left of a pass."""
    return f"""\
import torch
from torch.utils.data import DataLoader


def train(model, criterion, penalty, dataset, accum_steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        pending = []
        for x, y in DataLoader(dataset, batch_size=4):
            pending.append({loss})
            if len(pending) == accum_steps:
                total = sum(pending)
                {whole}
                optimizer.step()
                optimizer.zero_grad()
                pending = []
        if pending:
            total = sum(pending)
            {tail}
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    "loss", ["criterion(model(x), y)", "criterion(model(x), y) + 0.1 * penalty(model(x))", "0.5 * criterion(model(x), y)"]
)
def test_a_tail_that_is_not_divided_whatever_weighs_the_loss(loss: str) -> None:
    assert "GRD101" in codes(kept_losses(loss, WHOLE, TAIL))
    assert "GRD101" not in codes(kept_losses(loss, WHOLE, WHOLE))


def windows_of_three(note: str) -> str:
    """A script whose windows are of three, with passes that end inside one, and something that is done now and then."""
    return f"""\
import torch
from torch.utils.data import DataLoader


def train(model, criterion, dataset, writer):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(dataset, batch_size=4)
    seen, recent = 0, 0.0
    for epoch in range(3):
        batches = list(loader)
        windows = [batches[k : k + 3] for k in range(0, len(batches), 3)]
        for window in windows:
            for x, y in window:
                loss = criterion(model(x), y) / 3
                loss.backward()
                recent += loss.item()
                seen += 1
                {note}
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize("now_and_then", ["writer.add_scalar('loss', recent, seen)", "print(recent)", "recent = 0.0"])
def test_what_is_told_now_and_then_says_nothing_about_the_size_of_windows(now_and_then: str) -> None:
    assert codes(windows_of_three("pass")) == codes(windows_of_three(f"if seen % 2 == 0: {now_and_then}")) == set()


def test_a_flag_by_a_remainder_says_how_large_windows_are() -> None:
    script = windows_of_three("pass").replace("optimizer.step()", "pass").replace("optimizer.zero_grad()", "pass")
    flag = "closes = seen % 2 == 0; ready = False\n                if seen % 2 == 0: ready = True\n"
    flag += "                if ready:\n                    optimizer.step()\n                    optimizer.zero_grad()\n"
    assert "GRD103" in codes(script.replace("                pass\n", f"                {flag}", 1))


TWO_ARMS = """\
import torch
from torch import nn
from torch.utils.data import DataLoader

USE_AMP = True


def apply_update(optimizer, scaler):
    if scaler is not None:
        scaler.step(optimizer)
        scaler.update()
    else:
        optimizer.step()
    optimizer.zero_grad()


def train(model, dataset, accum_steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda") if USE_AMP else None
    criterion = nn.CrossEntropyLoss()
    for epoch in range(3):
        pending = []
        for x, y in DataLoader(dataset, batch_size=8):
            pending.append(criterion(model(x), y))
            if len(pending) == accum_steps:
                loss = sum(pending) / accum_steps
                scaler.scale(loss).backward() if scaler is not None else loss.backward()
                apply_update(optimizer, scaler)
                pending = []
        if pending:
            loss = sum(pending) / accum_steps
            scaler.scale(loss).backward() if scaler is not None else loss.backward()
            apply_update(optimizer, scaler)
"""


def test_the_arm_that_no_run_takes_steps_as_often_as_the_other_one() -> None:
    assert not [each.code for each in check_source(TWO_ARMS) if each.code == "GRD204"]


def ranged(steps: str, *, parameters: str = "rows, loaders", behind: str = "pass") -> str:
    """A script whose passes are loops over a range."""
    return f"""\
import torch


def train(model, optimizer, {parameters}, batch_size, accum_steps):
    shortest = min([len(loader) for loader in loaders])
    for epoch in range(3):
        for i in range({steps}):
            loss = model(rows[i]).mean() / accum_steps
            loss.backward()
            if (i + 1) % accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
        {behind}
"""


@pytest.mark.parametrize("steps", ["len(rows)", "len(rows) // batch_size", "shortest", "len(loaders) * shortest", "0, len(rows)"])
def test_a_range_as_long_as_some_data_has_a_tail(steps: str) -> None:
    assert codes(ranged(steps)) == {"GRD202"}
    assert codes(ranged(steps, behind="optimizer.step(); optimizer.zero_grad()")) == set()


@pytest.mark.parametrize(
    "steps",
    [
        "shortest * accum_steps",
        "len(rows) // accum_steps * accum_steps",
        "shortest - shortest % accum_steps",
        "accum_steps",
        "64",
    ],
)
def test_a_range_that_n_or_nobody_but_the_text_makes_as_long_as_it_is_has_none(steps: str) -> None:
    assert codes(ranged(steps)) == set()


@pytest.mark.parametrize("check", ("not torch.isfinite(p.grad).all()", "p.grad.isnan().any()", "torch.isinf(p.grad).any()"))
def test_gradients_that_are_not_finite_are_not_what_a_step_usually_meets(check: str) -> None:
    script = training(f"""
        (criterion(model(x), y) / args.accum_steps).backward()
        if (i + 1) % args.accum_steps == 0:
            for p in model.parameters():
                if {check}:
                    p.grad = None
            optimizer.step()
            optimizer.zero_grad()
        """)
    assert codes(script) == {"GRD202"}


TWO_PHASES = """
import torch

def one_pass(model, optimizer, loader, n):
    optimizer.zero_grad()
    for index, batch in enumerate(loader):
        loss = model(batch).loss / n
        loss.backward()
        if (index + 1) % n == 0:
            optimizer.step()
            optimizer.zero_grad()

def fit(model, loader, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(args.epochs):
        one_pass(model, optimizer, loader, args.accum_steps)
    for again in range(args.rounds):
        for epoch in range(args.further_epochs):
            one_pass(model, optimizer, loader, args.accum_steps)
"""


def test_what_the_loop_before_has_left_over_is_its_own_tail() -> None:
    assert codes(TWO_PHASES) == {"GRD202"}
