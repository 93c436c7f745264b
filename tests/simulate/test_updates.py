"""Each update keeps what belongs into it, or a fix is not offered."""

from __future__ import annotations

import libcst as cst
import pytest
from scripts import codes

from gradlint.simulate.simulation import simulate
from gradlint.simulate.trace import Trace, What
from gradlint.simulate.updates import loses

LOOP = """
import torch

def train(model, loader, optimizer, scaler, scheduler, accum_steps):
    {before}
    for i, (x, y) in enumerate(loader):
        loss = model(x, y).mean() / accum_steps
        scaler.scale(loss).backward()
        {inside}
        if (i + 1) % accum_steps == 0:
            {update}
            scaler.step(optimizer)
            scaler.update()
            {behind}
            optimizer.zero_grad()
"""
UNSCALE = "scaler.unscale_(optimizer)"
ADVANCE = "scheduler.step()"


def run(**lines: str) -> Trace:
    given = {name: lines.get(name, "pass") for name in ("before", "inside", "update", "behind")}
    return simulate(cst.parse_module(LOOP.format(**given)).body)[0].runs[0].trace


@pytest.mark.parametrize("place", ["before", "inside"])
def test_what_is_moved_into_each_update_is_in_each(place: str) -> None:
    assert not loses(run(**{place: UNSCALE}), run(update=UNSCALE), What.UNSCALE)
    assert not loses(run(**{place: ADVANCE}), run(behind=ADVANCE), What.SCHEDULE)


def test_what_is_moved_out_of_the_loop_is_lost() -> None:
    assert loses(run(inside=UNSCALE), run(before=UNSCALE), What.UNSCALE)
    assert loses(run(behind=ADVANCE), run(before=ADVANCE), What.SCHEDULE)


def test_what_some_updates_have_is_not_asked_of_the_others() -> None:
    some = f"{ADVANCE} if i >= accum_steps else None"
    assert not loses(run(behind=some), run(behind=some), What.SCHEDULE)
    assert not loses(run(behind=some), run(behind=ADVANCE), What.SCHEDULE)
    assert loses(run(behind=ADVANCE), run(behind=some), What.SCHEDULE)


TWICE = """\
import torch


def train(model, loader, optimizer, criterion):
    for epoch in range(2):
        count = 0
        for x, y in loader:
            count += 1
            criterion(model(x), y).backward()
            optimizer.step()
            if count == 1:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
                count = 0
                optimizer.step()
                model.zero_grad()
"""


def test_a_clip_between_two_steps_belongs_to_the_second() -> None:
    assert "GRD303" not in codes(TWICE)
