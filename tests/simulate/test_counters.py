"""Counters of micro-batches that the caller of the loop keeps."""

from __future__ import annotations

import pytest
from scripts import codes

COUNTS = {
    "a list": ("seen[0] += 1", "seen[0]"),
    "a dictionary": ('seen["done"] += 1', 'seen["done"]'),
    "an entry that is assigned": ("seen[0] = seen[0] + 1", "seen[0]"),
}


def counted(count: str, test: str) -> str:
    """A pass whose function counts its micro-batches with a container of its caller, in windows of two."""
    return f"""\
import torch


def run_pass(model, criterion, loader, optimizer, seen):
    for i, (x, y) in enumerate(loader):
        {count}
        (criterion(model(x), y) / 2).backward()
        if {test} % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize("count", COUNTS)
def test_nobody_knows_the_first_window_of_a_count_that_a_caller_begins(count: str) -> None:
    assert "GRD201" not in codes(counted(*COUNTS[count]))


def test_a_count_that_the_loop_begins_has_a_first_window() -> None:
    assert "GRD201" in codes(counted("pass", "i"))


PASS = """\
import torch


class Trainer:
    def __init__(self, model, optimizer, args):
        self.model, self.optimizer, self.args = model, optimizer, args
        self.seen = 0

    def run_pass(self, criterion, loader, epoch, global_step):
        {first}
        for i, (x, y) in enumerate(loader):
            self.seen += 1
            (criterion(self.model(x), y) / self.args.accum_steps).backward()
            if {test} % self.args.accum_steps == 0:
                self.optimizer.step()
                self.optimizer.zero_grad()
"""


@pytest.mark.parametrize("test", ["self.seen", "(epoch * len(loader) + i + 1)", "(global_step + i + 1)"])
def test_a_count_that_goes_on_when_the_caller_begins_another_pass_loses_nothing(test: str) -> None:
    assert "GRD202" not in codes(PASS.format(first="self.model.train()", test=test))


@pytest.mark.parametrize(
    ("first", "test"),
    [("self.model.train()", "(i + 1)"), ("self.seen = 0", "self.seen"), ("self.optimizer.zero_grad()", "self.seen")],
)
def test_a_count_that_begins_anew_with_each_call_loses_the_tail(first: str, test: str) -> None:
    assert "GRD202" in codes(PASS.format(first=first, test=test))


@pytest.mark.parametrize(("end", "expected"), [("self.last + 1", False), ("self.last", True)])
def test_a_range_that_ends_behind_the_last_number_begins_at_one(end: str, expected: bool) -> None:
    script = f"""\
class Trainer(Base):
    def train(self, model, criterion, batches, optimizer, n):
        for i in range(self.start_iteration, {end}):
            x, y = next(batches)
            (criterion(model(x), y) / n).backward()
            if i % n == 0:
                optimizer.step()
                optimizer.zero_grad()
"""
    assert ("GRD201" in codes(script)) is expected


def test_a_copy_of_a_defaultdict_has_its_default() -> None:
    script = """\
from collections import defaultdict


def train(model, loader, optimizer, criterion):
    seen = defaultdict(int).copy()
    for x, y in loader:
        (criterion(model(x), y) / 4).backward()
        if seen["batches"] % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
        seen["batches"] += 1
"""
    assert "GRD201" in codes(script)


def test_the_number_of_pieces_that_a_batch_was_split_into_divides_their_losses() -> None:
    script = """\
def train(model, loader, optimizer, criterion):
    for x, y in loader:
        pieces = x.chunk(4)
        for piece in pieces:
            (criterion(model(piece)) / {divisor}).backward()
        optimizer.step()
        optimizer.zero_grad()
"""
    assert codes(script.format(divisor="len(pieces)")) == set()
    assert codes(script.format(divisor="1")) == {"GRD101"}
