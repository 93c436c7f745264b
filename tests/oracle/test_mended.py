"""Programs that once showed a bug of gradlint, each with the plainest choices that show it."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the programs train under PyTorch: install the extra `proof`")

from .plan import Plan
from .theorems import judge

TOKENS = frozenset({"GRD105"})


def test_token_mean_before_an_augmented_division() -> None:
    assert not judge(Plan(loss="functional", division="augment", bugs=TOKENS)).missed


def test_token_mean_beside_a_second_term() -> None:
    assert not judge(Plan(loop="nested", tail="none", loss="functional", aux=True, named_slice=True, bugs=TOKENS)).broken


@pytest.mark.parametrize("division", ["inverse", "hoisted"])
def test_token_mean_times_the_inverse(division: str) -> None:
    plan = Plan(loop="nested", tail="none", loss="functional", division=division, named_slice=True, bugs=TOKENS)
    assert not judge(plan).broken


def test_tail_beyond_the_end_of_a_schedule() -> None:
    assert not judge(Plan(scheduler="onecycle", length="floor", bugs=frozenset({"GRD202"}))).broken


def test_length_of_a_schedule_whose_tail_is_added() -> None:
    assert not judge(Plan(scheduler="onecycle", length="ceil", bugs=frozenset({"GRD202", "GRD402"}))).broken


def test_the_same_programs_without_what_is_wrong() -> None:
    assert judge(Plan(loss="functional", bugs=TOKENS)).right
    fixed = judge(Plan(loop="nested", tail="none", loss="functional", named_slice=True, bugs=TOKENS))
    assert fixed.right
    assert fixed.applied == ("GRD105",)
    assert fixed.equal
