"""Options that only matter together: one leads to training, and another decides how the gradients are shared."""

from __future__ import annotations

import pytest
from scripts import codes

SCRIPT = """
import argparse
import torch
from torch.nn.parallel import DistributedDataParallel as DDP
from models import build_model, build_data


def fit(args, model, optimizer, batches):
    for step in range(1000):
        for k in range(args.accum):
            (model(next(batches)).mean() / args.accum).backward()
        optimizer.step()
        optimizer.zero_grad()


parser = argparse.ArgumentParser()
parser.add_argument("--parallel", action="store_true")
parser.add_argument("--train", action="store_true")
parser.add_argument("--accum", type=int, default=4)
args = parser.parse_args()
model = build_model(args)
if args.parallel:
    model = DDP(model)
optimizer = {optimizer}
if args.train:
    fit(args, model, optimizer, iter(build_data(args)))
"""
BUILT = "torch.optim.SGD(model.parameters(), lr=0.1)"


@pytest.mark.parametrize("optimizer", [BUILT, f"{BUILT} if args.train else None", f"None if not args.train else {BUILT}"])
def test_the_option_that_leads_to_the_loop_is_on_everywhere(optimizer: str) -> None:
    assert codes(SCRIPT.format(optimizer=optimizer)) == {"GRD601"}
