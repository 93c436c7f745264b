"""Passes over data whose batches are drawn by hand: where they end, and what they leave of a window."""

from __future__ import annotations

import pytest
from scripts import answers, codes

from gradlint.simulate.verdicts import Answer

UPDATE = """\
        x, y = next(batches)
        (criterion(model(x), y) / args.accum_steps).backward()
        if (i + 1) % args.accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""


def drawn(loop: str, *, parameters: str = "loader", update: str = UPDATE) -> str:
    """A script whose loop draws each of its batches."""
    return f"import torch\n\n\ndef train(model, optimizer, criterion, {parameters}, args):\n{loop}{update}"


@pytest.mark.parametrize(
    "loop",
    [
        "    batches = iter(loader)\n    for i in range(len(loader)):\n",
        "    batches, total = iter(loader), len(loader)\n    for i in range(total):\n        if i >= total:\n            break\n",
        "    batches, i = iter(loader), -1\n    while i + 1 < len(loader):\n        i += 1\n",
    ],
)
def test_a_pass_is_over_where_the_loop_that_drew_its_last_batch_is(loop: str) -> None:
    assert codes(drawn(loop)) == {"GRD202"}
    flush = UPDATE.replace("== 0:", "== 0 or i + 1 == len(loader):")
    assert codes(drawn(loop, update=flush)) == set()


def test_a_loop_that_draws_whole_windows_leaves_nothing() -> None:
    loop = "    batches = iter(loader)\n    for i in range(len(loader) // args.accum_steps * args.accum_steps):\n"
    assert codes(drawn(loop)) == set()


def test_batches_that_another_loop_goes_on_to_draw_are_no_pass_that_is_over() -> None:
    loop = "    batches = iter(loader)\n    for i in range(args.num_steps):\n"
    assert codes(drawn(loop)) == set()


BOUNDED = """\
    batches, i = iter(loader), 0
    while True:
        if i == args.total_steps:
            break
{update}        i += 1
"""


def test_data_that_nothing_expects_to_end_have_no_end() -> None:
    script = drawn(BOUNDED.format(update=UPDATE), update="")
    assert [verdict.answer for verdict in answers(script)] == [Answer.VERIFIED]
    assert codes(drawn(BOUNDED.format(update=UPDATE.replace(" / args.accum_steps)", ")")), update="")) == {"GRD101"}


def test_data_whose_end_is_expected_have_one() -> None:
    update = UPDATE.replace("= next(batches)", "= draw()")
    helper = """\
    def draw():
        nonlocal batches
        try:
            return next(batches)
        except StopIteration:
            optimizer.zero_grad()
            batches = iter(loader)
            return next(batches)

"""
    loop = "    batches = iter(loader)\n" + helper + "    for i in range(args.num_steps):\n"
    assert codes(drawn(loop, update=update)) == {"GRD202"}


@pytest.mark.parametrize("walked", ["shards", "enumerate(shards)", "tqdm(enumerate(shards))", "enumerate(tqdm(shards))"])
@pytest.mark.parametrize(("shown", "expected"), [("loss.item()", {"GRD106"}), ("loss.item() * args.accum_steps", set())])
def test_what_is_numbered_is_walked_as_without_numbers(walked: str, shown: str, expected: set[str]) -> None:
    target = "i, shard" if "enumerate" in walked else "shard"
    script = f"""\
import numpy as np
import torch
from tqdm import tqdm

def train(model, optimizer, args):
    for epoch in range(args.epochs):
        shards = np.linspace(0, args.shards - 1, args.shards)
        done = 0
        for {target} in {walked}:
            loss = model(torch.load(f"{{shard}}.pt")) / args.accum_steps
            loss.backward()
            done += 1
            if done % args.accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
                print({shown})
"""
    assert codes(script) & {"GRD106"} == expected


FILES = """
import torch
from torch.utils.data import DataLoader


def loaders(files, args):
    for file in files:
        yield DataLoader(Lines(file), batch_size=args.batch_size)


def fit(model, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    count = 0
    for epoch in range(args.epochs):
        {start}
        for loader in loaders(args.files, args):
            for batch in loader:
                loss = model(batch).loss / args.accum_steps
                loss.backward()
                count += 1
                if count % args.accum_steps == 0:
                    optimizer.step()
                    optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("start", "expected"), [("count = 0", {"GRD202"}), ("optimizer.zero_grad()", {"GRD202"}), ("pass", set())]
)
def test_an_epoch_over_several_files_ends_behind_the_last_of_them(start: str, expected: set[str]) -> None:
    assert codes(FILES.format(start=start)) == expected


BESIDE = """
import torch
from torch.utils.data import DataLoader


class Again:
    def __init__(self, loader):
        self.loader = loader
        self.items = iter(loader)

    def draw(self):
        try:
            return next(self.items)
        except StopIteration:
            self.items = iter(self.loader)
            return next(self.items)


def fit(model, rows, others, args):
    loader, again = DataLoader(rows, batch_size=4), Again(DataLoader(others, batch_size=4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(args.epochs):
        for index, batch in enumerate(loader):
            loss = model(batch, again.draw()).loss / args.accum_steps
            loss.backward()
            if (index + 1) % args.accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
"""


def test_other_data_that_begin_again_do_not_end_the_pass() -> None:
    assert codes(BESIDE) == {"GRD202"}
