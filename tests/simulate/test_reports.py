"""Numbers that are taken of a divided loss: where somebody sees them, and how large they are there."""

from __future__ import annotations

from textwrap import indent

import pytest
from scripts import codes, training

LOSS = "loss = criterion(model(x), y) / args.accum_steps\nloss.backward()\n"
UPDATE = "if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n    optimizer.step()\n    optimizer.zero_grad()\n"
CLASS = """\
class Meter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, value, n):
        self.sum += value * n
        self.count += n

    @property
    def mean(self):
        return self.sum / self.count


"""


def told(body: str, setup: str = "", after: str = "", head: str = "") -> bool:
    """Whether a loop that does something with its divided loss, and once more behind the pass, reports it as the loss."""
    script = training(LOSS + body + UPDATE, setup, epochs=False)
    return "GRD106" in codes(head + script + indent(after, " " * 4))


@pytest.mark.parametrize(
    "body",
    [
        "print(loss.item())\n",
        "bar.set_postfix(loss=f'{loss.item():.3f}')\n",
        "meter.update(loss.item(), x.size(0))\n",
        "writer.add_scalar('loss', float(loss), i)\n",
        "print(str(round(loss.item(), 3)))\n",
        "if i % args.log_every == 0:\n    print(loss.item())\n",
        "if args.verbose:\n    print(loss.item())\n",
    ],
)
def test_the_loss_of_a_micro_batch_is_too_small(body: str) -> None:
    assert told(body)


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ("total += loss.item()\n", "print(total / len(loader))\n"),
        ("total += loss.item() * x.size(0)\n", "print(total / len(dataset))\n"),
        ("total += loss.item() * len(x)\nrows += len(x)\n", "print(total / rows)\n"),
        ("seen.append(loss.item())\n", "print(sum(seen) / len(seen))\n"),
        ("seen.append(loss.detach())\n", "print(torch.stack(seen).mean())\n"),
        ("seen.append(loss.item())\n", "import numpy\nprint(numpy.mean(seen))\n"),
        ("total = 0.9 * total + 0.1 * loss.item()\nprint(total)\n", ""),
        ("total += loss.item()\nif (i + 1) % args.log_every == 0:\n    print(total / args.log_every)\n    total = 0.0\n", ""),
    ],
)
def test_a_mean_over_micro_batches_is_too_small(body: str, after: str) -> None:
    assert told(body, "total, rows, seen = 0.0, 0, []\n", after)


def test_a_meter_of_the_text_is_followed() -> None:
    assert told("meter.update(loss.item(), x.size(0))\n", "meter = Meter()\n", "print(meter.mean)\n", CLASS)


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ("print(loss.item() * args.accum_steps)\n", ""),
        ("total += loss.item()\n", "print(total / (len(loader) // args.accum_steps))\n"),
        ("total += loss.item()\nif (i + 1) % args.accum_steps == 0:\n    print(total)\n    total = 0.0\n", ""),
        ("total += loss.item()\nif (i + 1) % args.log_every == 0:\n    print(total)\n    total = 0.0\n", ""),
        ("if torch.isfinite(loss.detach()):\n    pass\n", ""),
        ("total += loss.item()\n", ""),
    ],
)
def test_sums_over_windows_and_what_nobody_sees_are_not_reported(body: str, after: str) -> None:
    assert not told(body, "total = 0.0\n", after)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("loss.item() / args.weight", True),
        ("(loss.item() - args.rest * other.item()) / args.weight", True),
        ("loss.item() / args.weight * args.accum_steps", False),
        ("loss.item() / (1 / args.accum_steps)", False),
        ("loss.item() * 4", False),
    ],
)
def test_a_weight_that_is_taken_off_leaves_the_division(shown: str, expected: bool) -> None:
    parts = "own, other = criterion(model(x), y), criterion(model(x), x)\n"
    loss = "loss = (args.weight * own + args.rest * other) / args.accum_steps\nloss.backward()\n"
    script = training(f"{parts}{loss}{UPDATE}print({shown})\n", epochs=False)
    assert ("GRD106" in codes(script)) is expected


@pytest.mark.parametrize(("shown", "expected"), [("loss.item() / args.rest", True), ("loss.item() * args.accum_steps", False)])
def test_what_is_shown_now_and_then_beside_something_optional_is_seen(shown: str, expected: bool) -> None:
    loss = "loss = criterion(model(x), y)\nif args.teacher is not None:\n    loss = args.rest * loss\n"
    loss += "loss = loss / args.accum_steps\nloss.backward()\n"
    report = f"if args.teacher is not None and (i + 1) % args.log_every == 0:\n    print({shown})\n"
    assert ("GRD106" in codes(training(loss + UPDATE + report, epochs=False))) is expected


@pytest.mark.parametrize(("shown", "expected"), [("loss.item()", True), ("loss.item() * args.accum_steps", False)])
def test_what_is_taken_only_now_and_then_is_seen(shown: str, expected: bool) -> None:
    assert told(f"if (i + 1) % args.log_every == 0:\n    print({shown})\n") is expected


def test_an_undivided_loss_is_right() -> None:
    body = "loss = criterion(model(x), y)\n(loss / args.accum_steps).backward()\nprint(loss.item())\n"
    assert "GRD106" not in codes(training(body + UPDATE))


def test_a_loss_that_the_engine_divides_once_more_is_too_small() -> None:
    setup = (
        "from accelerate import Accelerator\naccelerator = Accelerator(gradient_accumulation_steps=args.accum_steps)\n"
        "model, optimizer, loader = accelerator.prepare(model, optimizer, loader)\n"
    )
    body = (
        "with accelerator.accumulate(model):\n    loss = criterion(model(x), y) / args.accum_steps\n    accelerator.backward(loss)\n"
        "    optimizer.step()\n    optimizer.zero_grad()\n    print(loss.item())\n"
    )
    assert codes(training(body, setup)) == {"GRD102", "GRD106"}


def test_what_a_caller_is_divided_by_is_no_counter() -> None:
    script = (
        training(LOSS + "print(loss.item())\n" + UPDATE).replace("args.accum_steps", "steps").replace(", args)", ", steps, args)")
    )
    assert codes(script) == {"GRD106"}


def test_slices_of_a_list_of_batches_are_windows() -> None:
    script = (
        "def train(model, batches, optimizer, accum_steps=4):\n"
        "    for start in range(0, len(batches), accum_steps):\n"
        "        for x in batches[start : start + accum_steps]:\n"
        "            model(x).loss.backward()\n"
        "        optimizer.step()\n"
        "        optimizer.zero_grad()\n"
    )
    assert codes(script) == {"GRD101"}
