"""What the oracle has shown to be wrong and is not mended. These say when it is: then its line in `consistent.py`, if it has one,
can go too."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the programs train under PyTorch: install the extra `proof`")

from .plan import Plan
from .theorems import judge

TOKENS = frozenset({"GRD105"})


@pytest.mark.xfail(strict=True, reason="the mask is in another function than the division")
def test_token_mean_in_a_helper() -> None:
    assert not judge(Plan(loss="helper", bugs=TOKENS)).missed


@pytest.mark.xfail(strict=True, reason="behind `loss /= N` the loss is not followed further")
def test_token_mean_before_an_augmented_division() -> None:
    assert not judge(Plan(loss="functional", division="augment", bugs=TOKENS)).missed


@pytest.mark.xfail(strict=True, reason="the second term is divided by the tokens of the window, and not by N")
def test_token_mean_beside_a_second_term() -> None:
    assert not judge(Plan(loop="nested", tail="none", loss="functional", aux=True, named_slice=True, bugs=TOKENS)).broken


@pytest.mark.parametrize("division", ["inverse", "hoisted"])
@pytest.mark.xfail(strict=True, reason="`loss * (1 / N)` becomes `loss * num_tokens`")
def test_token_mean_times_the_inverse(division: str) -> None:
    plan = Plan(loop="nested", tail="none", loss="functional", division=division, named_slice=True, bugs=TOKENS)
    assert not judge(plan).broken


@pytest.mark.xfail(
    strict=True, reason="the tail's step is one more than OneCycleLR was told: PyTorch raises at the end of training"
)
def test_tail_beyond_the_end_of_a_schedule() -> None:
    assert not judge(Plan(scheduler="onecycle", length="floor", bugs=frozenset({"GRD202"}))).broken


@pytest.mark.xfail(
    strict=True, reason="the length is rounded down for the tail that is still dropped, and the tail's step is added"
)
def test_length_of_a_schedule_whose_tail_is_added() -> None:
    assert not judge(Plan(scheduler="onecycle", length="ceil", bugs=frozenset({"GRD202", "GRD402"}))).broken


def test_the_same_programs_without_what_is_wrong() -> None:
    assert judge(Plan(loss="functional", bugs=TOKENS)).right
    fixed = judge(Plan(loop="nested", tail="none", loss="functional", named_slice=True, bugs=TOKENS))
    assert fixed.right
    assert fixed.applied == ("GRD105",)
    assert fixed.equal
