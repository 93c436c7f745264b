"""What a call out of sight makes of a loader is walked as that is, unless a number says how many batches it gives at once."""

from __future__ import annotations

import pytest
from scripts import codes

SCRIPT = """
def fit(model, optimizer, train_loader, log, shown, args):
    for epoch in range(args.epochs):
        for index, batch in enumerate({walked}):
            loss = model(batch).loss
            loss.backward()
            if (index + 1) % args.accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
"""


@pytest.mark.parametrize("walked", ["train_loader", 'log.shown(train_loader, mode="train")', "shown(train_loader)"])
def test_a_wrapped_loader_has_windows_as_it_has_itself(walked: str) -> None:
    assert codes(SCRIPT.format(walked=walked)) == {"GRD101", "GRD202"}


@pytest.mark.parametrize(
    "walked", ["grouped(train_loader, 4)", "grouped(train_loader, args.accum_steps)", "forever(train_loader)"]
)
def test_what_groups_batches_or_repeats_them_is_no_pass_over_them(walked: str) -> None:
    assert "GRD202" not in codes(SCRIPT.format(walked=walked))


SYNCHRONIZED = """
def fit(model, optimizer, dataset, in_step, several, args):
    loader = torch.utils.data.DataLoader(dataset, batch_size=4)
    batches = iter(loader)
    updates = 0
    while updates < args.max_updates:
        optimizer.zero_grad()
        for index, batch in enumerate(in_step(batches, {told})):
            loss = model(batch).loss / args.accum_steps
            loss.backward()
            if (index + 1) % args.accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
                updates += 1
        batches = iter(loader)
"""


@pytest.mark.parametrize("told", ["args.several", "several()", "torch.distributed.is_initialized()"])
def test_unseen_code_around_an_iterator_ends_with_it(told: str) -> None:
    assert codes("import torch\n" + SYNCHRONIZED.format(told=told)) == {"GRD202"}


STREAMED = """
import itertools
import torch
from torch.utils.data import DataLoader, IterableDataset

class Packed(IterableDataset):
    def __init__(self, source):
        self.source = source

    def __iter__(self):
{walk}

def fit(model, source, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(Packed(source), batch_size=4)
    for epoch in range(args.epochs):
        optimizer.zero_grad()
        for index, batch in enumerate(loader):
            loss = model(batch).loss / args.accum_steps
            loss.backward()
            if (index + 1) % args.accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
"""
LEFT = """
        items = iter(self.source)
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            yield item
"""
FOREVER = """
        while True:
            for item in self.source:
                if item is None:
                    break
                yield item
"""
REPEATED = """
        for item in itertools.cycle(self.source):
            yield item
"""


@pytest.mark.parametrize(("walk", "expected"), [(LEFT, {"GRD202"}), (FOREVER, set()), (REPEATED, set())])
def test_a_stream_is_endless_if_nothing_leaves_its_loop(walk: str, expected: set[str]) -> None:
    assert codes(STREAMED.format(walk=walk.strip("\n"))) == expected


LOGGED = """
def one_epoch(model, data_loader, optimizer, logger, args):
    for index, batch in enumerate(logger.log_every(data_loader, 20, "epoch")):
        loss = model(batch).loss / args.accum_steps
        loss.backward()
        if (index + 1) % args.accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""


def test_a_logger_around_the_loader_of_a_caller_ends_with_it() -> None:
    assert codes(LOGGED) == {"GRD202"}
