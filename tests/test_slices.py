"""Reading and fixing texts that parsers stumble over: form feeds, depth, length."""

from __future__ import annotations

import pytest
from harness import fixed, found, places

from gradlint.analysis.source import Problem, read

LOOP = """\
def train(model, loader, optimizer, accum_steps):
    for i, batch in enumerate(loader):
        loss = model(batch)
        loss.backward()
        if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""
CURED = LOOP.replace("loss.backward", "(loss / accum_steps).backward")


@pytest.mark.parametrize("before", ["\f", "import torch\n\f\n", "x = 1\n\f\f", 's = "\f"\n'])
def test_form_feeds_shift_nothing(before: str) -> None:
    assert fixed(before + LOOP) == before + CURED


def test_lone_carriage_returns_end_lines() -> None:
    assert fixed(LOOP.replace("\n", "\r")) == CURED.replace("\n", "\r")


@pytest.mark.parametrize("hostile", ["x = " + "[" * 5000 + "]" * 5000, "x = " + "1+" * 20_000 + "1", "x" + ".y" * 20_000])
def test_depth_ends_no_process(hostile: str) -> None:
    assert isinstance(read(f"{hostile}\nloss.backward()\n"), Problem)


def test_length_hides_nothing() -> None:
    filler = "".join(f"value_{row} = {row}\n" for row in range(50_000))
    assert places(found(filler + LOOP)) == {(50_004, "GRD101")}
