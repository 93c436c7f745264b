"""Parts of long samples that are backpropagated one after the other belong to one micro-batch, and none of them may be cleared."""

from __future__ import annotations

import pytest
from scripts import codes

SCRIPT = """
def fit(net, loader, optimizer, distance, options):
    for frames, poses in loader:
        {before}
        for start in range(0, poses.size(1), options.stretch):
            part = poses[:, start : start + options.stretch]
            {first}
            loss = distance(net(frames, part), part)
            loss.backward()
            {inside}
        {behind}
"""
CLEAR, STEP = "optimizer.zero_grad()", "optimizer.step()"


def run(**lines: str) -> set[str]:
    return codes(SCRIPT.format(**{name: lines.get(name, "pass") for name in ("before", "first", "inside", "behind")}))


def test_clearing_before_each_part_leaves_the_last_one() -> None:
    assert run(first=CLEAR, behind=STEP) == {"GRD203"}


@pytest.mark.parametrize(
    "lines",
    [
        {"before": CLEAR, "behind": STEP},
        {"first": f"if start == 0:\n                {CLEAR}", "behind": STEP},
        {"first": CLEAR, "inside": STEP},
    ],
)
def test_clearing_once_an_update_is_right(lines: dict[str, str]) -> None:
    assert run(**lines) == set()


@pytest.mark.parametrize(
    ("inside", "behind"),
    [
        ("kept.append([p.grad.clone() for p in net.parameters()])", "p.grad = sum(kept[0])"),
        ("for p in net.parameters():\n                p.whole += p.grad", "p.grad.copy_(p.whole)"),
    ],
)
@pytest.mark.parametrize("dimension", ["", ":, "])
def test_gradients_that_are_kept_and_put_back_are_not_lost(inside: str, behind: str, dimension: str) -> None:
    put = f"for p in net.parameters():\n            {behind}\n        {STEP}"
    script = SCRIPT.format(before="kept = []", first=CLEAR, inside=inside, behind=put)
    assert codes(script.replace("[:, ", f"[{dimension}")) == set()


def test_what_is_handed_the_model_may_keep_its_gradients() -> None:
    assert run(first=CLEAR, inside="collect(net)", behind=f"spread(net)\n        {STEP}") == set()


HEAD_OF_A_MODEL = """
import torch
from torch import nn

ACCUM = 4


class Span(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body, self.head = body, nn.Linear(8, 2)

    def forward(self, ids):
        logits = self.head(self.body(ids))
        start, end = {split}
        return start.squeeze(-1), end.squeeze(-1)


def fit(body, loader):
    net = Span(body)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for i, (ids, first, last) in enumerate(loader):
        net.zero_grad()
        start, end = net(ids)
        loss = nn.functional.cross_entropy(start, first) + nn.functional.cross_entropy(end, last)
        loss.backward()
        if (i + 1) % ACCUM == 0:
            optimizer.step()
"""


@pytest.mark.parametrize("split", ["logits.split(1, dim=-1)", "logits.chunk(2, dim=-1)", "torch.unbind(logits, -1)"])
def test_parts_of_an_output_are_no_micro_batches(split: str) -> None:
    assert codes(HEAD_OF_A_MODEL.format(split=split)) == {"GRD101", "GRD202", "GRD203"}
