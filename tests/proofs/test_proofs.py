"""Each rule's script really trains: as written it misses the large batch, as repaired it equals it."""

from __future__ import annotations

import importlib.util

import pytest

pytest.importorskip("torch", reason="the proofs train under PyTorch: install the extra `proof`")

import torch
from harm import runs
from harness import PAGES, difference, found, read_marked
from measure import current, section
from proofs import CLOSE, ENOUGH, PROOFS, SCRIPTS, Outcome, Proof, miss


def _require(*proofs: Proof) -> None:
    for proof in proofs:
        if proof.needs and importlib.util.find_spec(proof.needs) is None:
            pytest.skip(f"{proof.script} trains under {proof.needs}, which is not installed")
        if proof.distributed and not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
            pytest.skip(f"{proof.script} trains in two processes, and this PyTorch is built without gloo")


@pytest.fixture(params=PROOFS, ids=lambda proof: proof.script)
def proof(request: pytest.FixtureRequest) -> Proof:
    _require(request.param)
    return request.param


@pytest.fixture
def outcome(proof: Proof) -> Outcome:
    return proof.outcome


def test_script_carries_its_bug_and_no_other(proof: Proof) -> None:
    marked = read_marked(proof.marked)
    assert {code for _, code in marked.expected} == {proof.code}
    assert difference(marked.source, found(marked.source), marked.expected) == ""


def test_runs_begin_alike(outcome: Outcome) -> None:
    assert torch.equal(outcome.cured.initial, outcome.cured_meant.initial)
    if outcome.faulty.updates:
        assert torch.equal(outcome.faulty.initial, outcome.meant.initial)


def test_repaired_weights_equal_the_reference(outcome: Outcome) -> None:
    assert outcome.cured.error == ""
    assert miss(outcome.cured, outcome.cured_meant) < CLOSE
    if outcome.peers is not None:
        assert miss(outcome.peers[1], outcome.cured_meant) < CLOSE


def test_repaired_updates_equal_the_reference(outcome: Outcome) -> None:
    cured, meant = outcome.cured, outcome.cured_meant
    assert cured.updates == meant.updates
    assert cured.rates == pytest.approx(meant.rates, rel=CLOSE, abs=CLOSE)
    for mine, other in zip(cured.gradients, meant.gradients, strict=True):
        assert (mine - other).norm() < CLOSE * other.norm()


def test_repaired_windows_are_whole(outcome: Outcome) -> None:
    setup, cured = outcome.setup, outcome.cured
    assert cured.windows == setup.windows * setup.epochs
    assert cured.pending == 0


def test_repaired_schedule_counts_updates(outcome: Outcome) -> None:
    if outcome.setup.schedule is not None:
        assert outcome.cured.schedule_steps == outcome.cured.updates
        assert outcome.cured.last_rate == pytest.approx(outcome.meant.last_rate, abs=CLOSE)


def test_repaired_clip_sees_the_whole_unscaled_gradient(outcome: Outcome) -> None:
    if outcome.setup.clip is not None:
        assert [clip.backwards for clip in outcome.cured.clips] == outcome.cured.windows
        assert [clip.norm for clip in outcome.cured.clips] == pytest.approx(
            [clip.norm for clip in outcome.meant.clips], rel=CLOSE
        )


def test_repaired_average_follows_the_updates(outcome: Outcome) -> None:
    if outcome.meant.average is not None:
        assert outcome.cured.average_steps == outcome.cured.updates
        assert torch.allclose(outcome.cured.average, outcome.meant.average, rtol=CLOSE, atol=0)


def test_faulty_run_is_measurably_off(proof: Proof) -> None:
    assert proof.measured.harm > ENOUGH


def test_repair_by_hand_stands_only_where_there_is_no_fix(proof: Proof) -> None:
    if proof.fixable:
        assert not proof.by_hand.exists(), f"{proof.code} is fixed now: delete {proof.by_hand.name}"
    else:
        assert proof.by_hand.exists(), f"nothing repairs {proof.script}: neither a fix nor {proof.by_hand.name}"


def test_undivided_loss_by_optimizer() -> None:
    for variant, faulty, repaired, meant in runs():
        assert miss(repaired, meant) < CLOSE, variant.name
        assert (miss(faulty, meant) < ENOUGH) == variant.cancels, variant.name


def test_every_script_is_proved() -> None:
    scripts = {path.stem for path in SCRIPTS.glob("*.py") if not path.stem.endswith(".cured")}
    assert scripts == {proof.script for proof in PROOFS}


@pytest.mark.parametrize("code", sorted({proof.code for proof in PROOFS}))
def test_page_says_what_is_measured(code: str) -> None:
    _require(*(proof for proof in PROOFS if proof.code == code))
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    assert current(page) == section(code), "run `python tests/proofs/measure.py --write`"
