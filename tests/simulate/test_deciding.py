"""Which condition decides about a step, as the place of a finding and its fix show it."""

from __future__ import annotations

import pytest
from harness import found
from scripts import codes

LOOP = """
import torch
from torch.utils.data import DataLoader


def train(model, dataset, optimizer, accum=4):
    loader = DataLoader(dataset, batch_size=8, shuffle=True)
    for epoch in range(3):
        for i, batch in enumerate(loader):
{body}
"""
FORWARD = ["loss = model(batch).mean() / accum", "loss.backward()"]
UPDATE = ["optimizer.step()", "optimizer.zero_grad()"]


def script(*lines: str) -> str:
    return LOOP.format(body="\n".join(f"            {line}" for line in lines))


def fixed_lines(source: str, code: str) -> list[str]:
    finding = next(each for each in found(source) if each.code == code)
    assert finding.fix is not None, finding.note
    return [edit.content for edit in finding.fix.edits]


FLUSH = "(i + 1) == len(loader)"


@pytest.mark.parametrize(
    "lines",
    [
        [*FORWARD, "if (i + 1) % accum == 0:", *(f"    {each}" for each in UPDATE)],
        [*FORWARD, "due = (i + 1) % accum == 0", "if due:", *(f"    {each}" for each in UPDATE)],
        ["due = (i + 1) % accum == 0", *FORWARD, "if not due:", "    continue", *UPDATE],
    ],
)
def test_a_flush_goes_where_the_boundary_is_asked(lines: list[str]) -> None:
    assert fixed_lines(script(*lines), "GRD202") == [f" or {FLUSH}"]


def test_a_flush_of_an_early_continue_is_negated() -> None:
    lines = [*FORWARD, "if (i + 1) % accum != 0:", "    continue", *UPDATE]
    assert fixed_lines(script(*lines), "GRD202") == [" and (i + 1) != len(loader)"]


@pytest.mark.parametrize("length", ["len(loader) // accum", "-(-len(loader) // accum)"])
def test_a_schedule_has_a_step_for_the_tail_or_the_fix_is_not_safe(length: str) -> None:
    lines = [*FORWARD, "if (i + 1) % accum == 0:", *(f"    {each}" for each in UPDATE), "    schedule.step()"]
    built = f"    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3 * ({length}))\n    for epoch"
    source = script(*lines).replace("    for epoch", built)
    finding = next(each for each in found(source) if each.code == "GRD202")
    assert finding.fix is not None
    assert (finding.fix.applicability.value == "safe") == length.startswith("-")


def test_a_step_behind_the_loop_may_miss_some_tails() -> None:
    body = script(*FORWARD, "if (i + 1) % accum == 0:", *(f"    {each}" for each in UPDATE))
    missing = body + "        if i % accum:\n            optimizer.step()\n            optimizer.zero_grad()\n"
    right = body + "        if (i + 1) % accum:\n            optimizer.step()\n            optimizer.zero_grad()\n"
    assert "GRD202" in {each.code for each in found(missing)}
    assert "GRD202" not in {each.code for each in found(right)}


REFERENCE = """
from contextlib import nullcontext
import torch

def score(model, reference, batch):
    with torch.no_grad() if model is reference else nullcontext():
        return model(batch).sum(-1)

def fit(model, reference, loader, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for index, batch in enumerate(loader):
        margin = score(model, reference, batch) - score(reference, reference, batch)
        loss = -torch.nn.functional.logsigmoid(margin).mean()
        loss.backward()
        if (index + 1) % args.accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""


def test_two_unknown_objects_are_not_the_same_one() -> None:
    assert codes(REFERENCE) == {"GRD101", "GRD202"}


RUNNING = """
def one_pass(model, optimizer, loader, count, args):
    for i, batch in enumerate(loader):
        loss = model(batch).loss / args.accum_steps
        loss.backward()
        if (count + 1) % args.accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
        count += 1
    return count
"""


def test_a_count_that_the_caller_carries_on_loses_no_tail() -> None:
    assert "GRD202" not in codes(RUNNING)


def test_a_count_that_the_caller_carries_on_makes_no_flush() -> None:
    cleared = RUNNING.replace("    for i", "    optimizer.zero_grad()\n    for i")
    finding = next(each for each in found(cleared) if each.code == "GRD202")
    assert finding.fix is None
    assert finding.note is not None
    assert "`count` may go on from one pass over the data to the next" in finding.note
