"""What runs know of settings that are imported, of lengths that are counted in rows, of scalers, and of odd guards and divisors."""

from __future__ import annotations

import pytest
from scripts import codes, simulated, training

UPDATE = "if {}:\n    optimizer.step()\n    optimizer.zero_grad()\n"
FLUSH = "(i + 1) % args.accum_steps == 0 or i + 1 == len(loader)"
DIVIDED = "(criterion(model(x), y) / args.accum_steps).backward()\n"


@pytest.mark.parametrize(
    "guard", ["(i + 1) % args.accum_steps != 0", "(i + 1) % args.accum_steps", "not (i + 1) % args.accum_steps == 0"]
)
def test_a_guard_that_holds_on_all_but_the_last_micro_batch_is_found(guard: str) -> None:
    assert "GRD201" in codes(training(DIVIDED + UPDATE.format(guard)))


def test_alternating_steps_of_two_optimizers_are_no_inverted_guard() -> None:
    body = (
        "if (i + 1) % args.every != 0:\n    optimizer.zero_grad()\n    criterion(model(x), y).backward()\n    optimizer.step()\n"
        "else:\n    other.zero_grad()\n    criterion(head(x), y).backward()\n    other.step()\n"
    )
    assert codes(training(body, setup="other = torch.optim.SGD(head.parameters(), lr=0.1)\n")) == set()


@pytest.mark.parametrize("divisor", ["(i % args.accum_steps + 1)", "(1 + i % args.accum_steps)"])
def test_a_divisor_that_counts_on_in_the_window_is_found(divisor: str) -> None:
    body = f"(criterion(model(x), y) / {divisor}).backward()\n{UPDATE.format(FLUSH)}"
    assert "GRD103" in codes(training(body))


@pytest.mark.parametrize(
    ("source", "name"), [("from project import cfg", "cfg.join"), ("from project.settings import JOIN_STEPS", "JOIN_STEPS")]
)
def test_settings_of_another_file_are_numbers(source: str, name: str) -> None:
    script = training(f"criterion(model(x), y).backward()\n{UPDATE.format(f'(i + 1) % {name} == 0 or i + 1 == len(loader)')}")
    assert codes(f"{source}\n{script}") == {"GRD101"}


def test_a_number_of_rows_over_the_rows_of_a_batch_is_a_number_of_batches() -> None:
    built = "schedule = CosineAnnealingLR(optimizer, T_max=len(rows) // args.batch_size * args.epochs)\n"
    per_update = UPDATE.format(FLUSH) + "    schedule.step()\n"
    assert codes(training(DIVIDED + per_update, setup=f"rows = args.rows\n{built}")) == {"GRD402"}
    assert codes(training(f"{DIVIDED}{UPDATE.format(FLUSH)}schedule.step()\n", setup=f"rows = args.rows\n{built}")) == set()


def test_a_batch_that_is_split_into_micro_batches_may_be_a_whole_window() -> None:
    built = "schedule = CosineAnnealingLR(optimizer, T_max=len(rows) // args.batch_size * args.epochs)\n"
    setup = f"{built}args.batch_size // args.accum_steps\n"
    assert codes(training(f"{DIVIDED}{UPDATE.format(FLUSH)}    schedule.step()\n", setup=f"rows = args.rows\n{setup}")) == set()


def test_a_scaler_does_not_step_twice_between_two_updates() -> None:
    body = "scaler.scale(criterion(model(x), y)).backward()\nscaler.step(optimizer)\n{}scaler.update()\noptimizer.zero_grad()\n"
    scripts = [
        training(body.format(again), setup="scaler = torch.amp.GradScaler()\n") for again in ("scaler.step(optimizer)\n", "")
    ]
    assert [bool(simulated(script)[0].main.trace.raises) for script in scripts] == [True, False]


def test_what_a_scaler_steps_is_an_optimizer_by_any_name() -> None:
    script = (
        "import torch\ndef fit(net, loader, o, criterion):\n    scaler = torch.amp.GradScaler()\n    for x, y in loader:\n"
        "        scaler.scale(criterion(net(x), y)).backward()\n        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)\n"
        "        scaler.step(o)\n        scaler.update()\n        o.zero_grad()\n"
    )
    assert codes(script) == {"GRD302"}
