"""What stands in every arm of a decision of the data happens whatever these are."""

from __future__ import annotations

import pytest
from scripts import answers

from gradlint.analysis.engine import analyze
from gradlint.registry import all_rules
from gradlint.simulate.verdicts import Answer

_LOOP = """
import torch
from torch.utils.data import DataLoader


def train(model, dataset, steps=4, bound=1.0):
    loader = DataLoader(dataset, batch_size=8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        loss = torch.nn.functional.mse_loss(model(x), y) / steps
        loss.backward()
{decision}
        if (i + 1) % steps == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""
_CLIP = "torch.nn.utils.clip_grad_norm_(model.parameters(), bound)"


@pytest.mark.parametrize(
    ("decision", "rows"),
    [
        (f"if loss.item() > 1:\n    {_CLIP}\nelse:\n    {_CLIP}", [13, 15]),
        (f"if loss.item() > 2:\n    {_CLIP}\nelif loss.item() > 1:\n    {_CLIP}\nelse:\n    {_CLIP}", [13, 15, 17]),
        (f"if loss.item() > 2:\n    {_CLIP}\nelif loss.item() > 1:\n    {_CLIP}", []),
        (f"if loss.item() > 1:\n    {_CLIP}", []),
    ],
)
def test_a_clip_in_every_arm_is_one_on_each_micro_batch(decision: str, rows: list[int]) -> None:
    text = _LOOP.format(decision="\n".join(f"        {line}" for line in decision.split("\n")))
    found = [each.span.start.row for each in analyze(text, "train.py", all_rules()) if each.code == "GRD301"]
    assert found == rows


def test_what_the_norm_of_gradients_decides_is_a_clip() -> None:
    decision = "\n".join(
        (
            "        grads = [p.grad for p in model.parameters()]",
            "        norm = torch.stack([g.norm() for g in grads]).norm()",
            "        if norm > bound:",
            "            for g in grads:",
            "                g.mul_(bound / norm)",
        )
    )
    found = [each.code for each in analyze(_LOOP.format(decision=decision), "train.py", all_rules())]
    assert found == ["GRD301"]


def test_a_loop_is_not_verified_while_an_arm_hands_its_loss_to_what_may_divide_it() -> None:
    script = """
def train(model, criterion, optimizer, loader, loss_scaler, update_freq, use_amp=False):
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        if use_amp:
            loss_scaler(loss, optimizer, parameters=model.parameters(), update_grad=(i + 1) % update_freq == 0)
            if (i + 1) % update_freq == 0:
                optimizer.zero_grad()
        else:
            loss = loss / update_freq
            loss.backward()
            if (i + 1) % update_freq == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""
    assert [each.answer for each in answers(script)] == [Answer.UNKNOWN]
    assert "may divide the loss" in answers(script)[0].reason
