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
