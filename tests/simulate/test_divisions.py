"""What a loss is divided by on its way to a backward pass: mixtures, ratios, arms within arms, engines, and how N is written there."""

from __future__ import annotations

import pytest
from scripts import HEAD, codes, training

from gradlint.analysis.engine import analyze
from gradlint.registry import all_rules

UPDATE = "if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n    optimizer.step()\n    optimizer.zero_grad()\n"


@pytest.mark.parametrize(
    ("loss", "fault"),
    [
        ("weight * criterion(model(x), y) + (1 - weight) * criterion(model(x), y.flip(0))", {"GRD101"}),
        ("(weight * criterion(model(x), y) + (1 - weight) * criterion(model(x), y.flip(0))) / args.accum_steps", set()),
        ("weight * criterion(model(x), y) + weight * criterion(model(x), y.flip(0))", set()),
        ("(model(x) * y).sum() / (model(x).sum() + y.sum())", {"GRD101"}),
        ("(model(x) * y).sum() / (model(x).sum() + y.sum()) / args.accum_steps", set()),
    ],
)
def test_what_is_made_of_numbers_of_the_data(loss: str, fault: set[str]) -> None:
    assert codes(training(f"weight = x.mean()\n({loss}).backward()\n{UPDATE}")) == fault


def test_an_arm_that_only_another_arm_leads_to() -> None:
    arms = (
        "loss = criterion(model(x), y)\n"
        "if args.half:\n    scaler.scale(loss / args.accum_steps).backward()\n"
        "elif args.brain:\n    (loss / args.accum_steps).backward()\n"
        "else:\n    loss.backward()\n"
    )
    assert "GRD101" in codes(training(arms + UPDATE, setup="scaler = torch.amp.GradScaler(enabled=args.half)\n"))


@pytest.mark.parametrize(("divided", "fault"), [(" / args.accum_steps", {"GRD102"}), ("", set())])
def test_a_loss_is_divided_twice_whoever_steps(divided: str, fault: set[str]) -> None:
    body = f"loss = criterion(model(batch), batch) / args.accum_steps\n(loss{divided}).backward()\n"
    assert (
        codes(f"{HEAD}\ndef micro_batch(model, criterion, batch, args):\n    {body.replace(chr(10), chr(10) + '    ')}\n")
        == fault
    )


def test_the_same_loss_added_to_itself_is_divided_once() -> None:
    loss = "loss = criterion(model(x), y)\n(0.5 * (loss / args.accum_steps + loss / args.accum_steps)).backward()\n"
    assert codes(training(loss + UPDATE)) == set()


@pytest.mark.parametrize(
    ("written", "read"),
    [("n = args.accum_steps\n", "n"), ("settings = {'n': args.accum_steps}\n", 'settings["n"]'), ("", "args.accum_steps")],
)
def test_a_fix_writes_n_as_the_condition_does(written: str, read: str) -> None:
    update = UPDATE.replace("args.accum_steps", read)
    source = training(f"criterion(model(x), y).backward()\n{update}", setup=written)
    [found] = [each for each in analyze(source, "x.py", all_rules()) if each.code == "GRD101"]
    assert found.fix is not None
    assert any(edit.content.strip(" )") == f"/ {read}" for edit in found.fix.edits)


@pytest.mark.parametrize(
    ("loss", "fault"),
    [
        ("(first + args.w * second) / (1 + args.w)", {"GRD101"}),
        ("(args.v * first + args.w * second) / (args.v + args.w)", {"GRD101"}),
        ("(first + args.w * second) / (1 + args.w) / args.accum_steps", set()),
        ("(first + args.w * second) / args.accum_steps", set()),
    ],
)
def test_a_mean_weighted_by_settings_divides_nothing(loss: str, fault: set[str]) -> None:
    terms = "first = criterion(model(x), y)\nsecond = model(x).abs().mean()\n"
    assert codes(training(f"{terms}loss = {loss}\nloss.backward()\n{UPDATE}")) == fault


_ARMS = """
loss = criterion(model(x), y)
if (i + 1) % args.accum_steps != 0 and i + 1 != len(loader):
    ({first}).backward()
else:
    ({last}).backward()
    optimizer.step()
    optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("first", "last", "fault"),
    [
        ("loss / args.accum_steps", "loss", {"GRD101"}),
        ("loss", "loss / args.accum_steps", {"GRD101"}),
        ("loss / args.accum_steps", "loss / args.accum_steps", set()),
        ("loss / args.accum_steps", "loss * args.w / args.accum_steps", set()),
    ],
)
def test_both_arms_of_a_boundary_divide(first: str, last: str, fault: set[str]) -> None:
    assert codes(training(_ARMS.format(first=first, last=last))) == fault
