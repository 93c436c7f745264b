"""What the judge makes of windows that are no plain remainder of a setting, and of faults beside each other."""

from __future__ import annotations

import pytest
from scripts import codes, training

CLIP = "clip_grad_norm_(model.parameters(), 1.0)"
FLUSH = "if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):"
DIVIDED = "(criterion(model(x), y) / args.accum_steps).backward()"


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def literal(divisor: str, *update: str, setup: str = "") -> str:
    """A script whose windows are slices of four batches, with a loss that is divided by something."""
    steps = "".join(f"        {each}\n" for each in (*update, "optimizer.step()", "optimizer.zero_grad()"))
    return f"""\
import torch
from torch.utils.data import DataLoader


def train(model, criterion, dataset):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(dataset, batch_size=4)
    {setup or "pass"}
    for epoch in range(2):
        batches = list(loader)
        for window in [batches[k : k + 4] for k in range(0, len(batches), 4)]:
            for x, y in window:
                (criterion(model(x), y) / {divisor}).backward()
{steps.replace("        ", "            ")}"""


# Faults beside each other


@pytest.mark.parametrize("loss", ["criterion(model(x), y) / args.accum_steps / args.accum_steps", "criterion(model(x), y) / 7"])
def test_gradients_that_are_zeroed_too_early_hide_no_other_fault(loss: str) -> None:
    zeroed_inside = training(lines(f"({loss}).backward()", FLUSH, "    optimizer.step()", "optimizer.zero_grad()"))
    zeroed_before = training(lines(f"({loss}).backward()", FLUSH, "    optimizer.zero_grad()", "    optimizer.step()"))
    other = "GRD102" if "args" in loss else ""
    assert codes(zeroed_inside) - {"GRD103"} == {"GRD203", other} - {""}
    assert codes(zeroed_before) - {"GRD103"} == {"GRD206", other} - {""}


def test_a_clip_before_an_empty_step_is_judged_all_the_same() -> None:
    script = training(
        lines(
            "scaler.scale(criterion(model(x), y) / args.accum_steps).backward()",
            FLUSH,
            "    optimizer.zero_grad()",
            f"    {CLIP}",
            "    scaler.step(optimizer)",
            "    scaler.update()",
        ),
        setup="scaler = torch.amp.GradScaler()\n",
    )
    assert codes(script) == {"GRD206", "GRD302"}


def test_an_undivided_loss_is_right_where_windows_are_cleared_once_before_their_last_micro_batch() -> None:
    once = training(lines(FLUSH, "    optimizer.zero_grad()", "criterion(model(x), y).backward()", FLUSH, "    optimizer.step()"))
    assert codes(once) == {"GRD203"}


def test_an_undivided_loss_is_told_beside_zeroings_at_each_micro_batch() -> None:
    each = training(lines("criterion(model(x), y).backward()", FLUSH, "    optimizer.step()", "optimizer.zero_grad()"))
    assert codes(each) == {"GRD101", "GRD203"}


# Sizes that are plain numbers


def test_divisors_of_windows_of_a_plain_size() -> None:
    assert codes(literal("4")) == set()
    assert codes(literal("5")) == {"GRD103"}


@pytest.mark.parametrize(("length", "found"), [("2 * len(loader)", {"GRD402"}), ("2 * len(loader) // 4", set()), ("100", set())])
def test_lengths_of_schedules_over_windows_of_a_plain_size(length: str, found: set[str]) -> None:
    setup = f"scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max={length})"
    assert codes(literal("4", "scheduler.step()", setup=setup)) - {"GRD403"} == found


def test_a_window_of_two_is_long_enough_for_a_schedule_to_run_too_fast() -> None:
    setup = "scheduler = CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader) // 2)\n"
    script = training(
        lines(
            "(criterion(model(x), y) / 2).backward()",
            "if (i + 1) % 2 == 0 or i + 1 == len(loader):",
            "    optimizer.step()",
            "    optimizer.zero_grad()",
            "scheduler.step()",
        ),
        setup=setup,
    )
    assert codes(script) == {"GRD401"}


# Passes without an end in sight

PASSES = {
    "listed": "batches = list(loader)\n        for k in range(len(batches)):\n            x, y = batches[k]\n",
    "drawn": "batches = iter(loader)\n        for k in range(len(loader)):\n            x, y = next(batches)\n",
    "numbered": "for k, (x, y) in numbered(loader):\n",
}


@pytest.mark.parametrize("walk", sorted(PASSES))
@pytest.mark.parametrize("restarts", [True, False])
def test_a_pass_loses_its_tail_where_the_count_begins_anew(walk: str, restarts: bool) -> None:
    script = f"""\
import torch
from torch.utils.data import DataLoader


def numbered(batches):
    for number, batch in enumerate(batches):
        yield number, batch


def train(model, criterion, dataset, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(dataset, batch_size=4)
    seen = 0
    for epoch in range(args.epochs):
        {"seen = 0" if restarts else "pass"}
        {PASSES[walk]}            seen += 1
            (criterion(model(x), y) / args.accum_steps).backward()
            if seen % args.accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
"""
    assert codes(script) == ({"GRD202"} if restarts else set())


# Numbers of the text that go with its own N


@pytest.mark.parametrize(("begin", "found"), [("8", set()), ("9", {"GRD201"}), ("7", {"GRD201"})])
def test_a_count_that_goes_on_from_a_number_is_judged_with_the_n_of_the_text(begin: str, found: set[str]) -> None:
    script = f"""\
import torch

ACCUM_STEPS = 4


def train(model, criterion, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    checkpoint = {{"step": {begin}}}
    seen = checkpoint["step"]
    for epoch in range(2):
        for x, y in loader:
            seen += 1
            (criterion(model(x), y) / ACCUM_STEPS).backward()
            if seen % ACCUM_STEPS == 0:
                optimizer.step()
                optimizer.zero_grad()
"""
    assert codes(script) - {"GRD202"} == found


def test_settings_in_a_string_of_json_have_their_values() -> None:
    script = """\
import json

import torch


def train(model, criterion, loader):
    settings = json.loads('{"accum_steps": 4}')
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        (criterion(model(x), y) / 5).backward()
        if (i + 1) % settings["accum_steps"] == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""
    assert codes(script) == {"GRD103"}
    assert codes(script.replace('accum_steps": 4', 'accum_steps": 5')) == set()


# Gradients that are cleared by hand


@pytest.mark.parametrize("zeroing", ["optimizer.zero_grad()", "for p in model.parameters():\n    p.grad = None"])
def test_clearing_once_before_the_loop_clears_nothing_in_it(zeroing: str) -> None:
    script = training(lines(DIVIDED, FLUSH, "    optimizer.step()"), setup=f"{zeroing}\n")
    assert codes(script) == {"GRD205"}


def test_noise_that_is_made_of_gradients_clears_none() -> None:
    noise = "    for p in model.parameters():\n        p.grad.add_(0.01 * torch.randn_like(p.grad))"
    assert codes(training(lines(DIVIDED, FLUSH, noise, "    optimizer.step()"))) == {"GRD205"}


# What is beside training


def test_a_preparation_without_end_hides_no_loop() -> None:
    deep = "".join(f"{'    ' * depth}for {name} in texts:\n" for depth, name in enumerate("abcde", 1))
    script = f"def prepare(texts):\n    found = []\n{deep}{'    ' * 6}found.append(a)\n    return found\n\n\n"
    loop = training(lines("criterion(model(x), y).backward()", FLUSH, "    optimizer.step()", "    optimizer.zero_grad()"))
    assert codes(
        loop.replace("\ndef train", f"\n{script}def train").replace("for epoch in", "prepare(dataset)\n    for epoch in")
    )
    assert codes(loop) == {"GRD101"}


def test_a_function_that_trains_by_a_name_that_sets_a_mode_is_followed_to_its_end() -> None:
    script = """\
import torch


class Recipe:
    def __init__(self, model, loader, steps):
        self.model, self.loader, self.steps = model, loader, steps
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train(self):
        for epoch in range(2):
            for i, (x, y) in enumerate(self.loader):
                for word in range(99):
                    print(word)
                    print(i)
                (self.model(x, y) / self.steps).backward()
                if (i + 1) % self.steps == 0:
                    self.optimizer.step()
                    self.optimizer.zero_grad()


def launch(model, loader, accum_steps):
    recipe = Recipe(model, loader, accum_steps)
    recipe.train()


launch(torch.nn.Linear(2, 2), torch.utils.data.DataLoader([]), 4)
"""
    assert codes(script) == {"GRD202"}


def test_gradients_that_are_divided_before_the_step_have_no_undivided_tail() -> None:
    script = training(
        lines(
            "closes = (i + 1) % args.accum_steps == 0 or i + 1 == len(loader)",
            "if closes:",
            "    loss = criterion(model(x), y)",
            "    loss.backward()",
            "else:",
            "    with model.no_sync():",
            "        loss = criterion(model(x), y)",
            "        loss.backward()",
            "if closes:",
            "    for p in model.parameters():",
            "        p.grad /= args.accum_steps",
            "    optimizer.step()",
            "    optimizer.zero_grad()",
        ),
        setup="model = nn.parallel.DistributedDataParallel(model)\n",
    )
    assert codes(script) == set()
