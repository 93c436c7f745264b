"""What a finding says is true of the script that it stands in, not only that something is wrong there."""

from __future__ import annotations

import pytest
from harness import found

LOOP = """
def train(model, loader, optimizer, n):
    total = 0
    for step, batch in enumerate(loader):
        loss = model(batch) / n
        loss.backward()
        if {boundary}:
            if {inner}:
                optimizer.step()
                optimizer.zero_grad()
        total += 1
"""
KEPT_AWAY = "from which another test keeps `optimizer.step()` away"
AT_ONCE = "`optimizer.step()` updates after one of them"


def said(code: str, boundary: str, inner: str = "True") -> str:
    return next(each.message for each in found(LOOP.format(boundary=boundary, inner=inner)) if each.code == code)


@pytest.mark.parametrize("inner", ["not (n > 1 and total == 0)", "n == 1 or total > 0", "total", "total != 0", "not total < 1"])
def test_a_test_of_its_own_keeps_the_first_micro_batch_away(inner: str) -> None:
    message = said("GRD201", "total % n == 0", inner)
    assert KEPT_AWAY in message
    assert "the first window has one micro-batch too many" in message


@pytest.mark.parametrize("inner", ["True", "model.training or total > 0", "not (model.training and total == 0)", "step >= 0"])
def test_the_first_micro_batch_may_step(inner: str) -> None:
    assert AT_ONCE in said("GRD201", "total % n == 0", inner)


def test_a_flush_of_short_passes() -> None:
    message = said("GRD202", "(step + 1) % n == 0 or (len(loader) <= n and step + 1 == len(loader))")
    assert "its flush fires on short passes only" in message
    assert "of each longer pass" in message


@pytest.mark.parametrize("flush", ["step == len(loader)", "(len(loader) <= n and step == len(loader))"])
def test_a_flush_that_never_fires(flush: str) -> None:
    message = said("GRD202", f"(step + 1) % n == 0 or {flush}")
    assert "its flush can never fire" in message
    assert "of each pass" in message
