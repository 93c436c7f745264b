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
