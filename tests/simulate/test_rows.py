"""Passes over rows that the script cuts into batches by itself."""

from __future__ import annotations

import pytest
from scripts import answers, codes

from gradlint.simulate.verdicts import Answer

SAMPLES = {
    "a list that a loop fills": """\
tokens, samples, start = [], [], 0
    for token in open("tokens.txt").read().split():
        tokens.append(int(token))
    while start < len(tokens) - 64:
        samples.append(tokens[start : start + 64])
        start += 32
    samples.append(tokens[len(tokens) - 64 :])
""",
    "a list that a loop over a file fills": 'samples = []\n    for line in open("tokens.txt"):\n        samples.append(line)\n',
    "a file": 'samples = torch.load("samples.pt")\n',
}


def script(samples: str, flush: str, clip: str = "") -> str:
    return f"""\
import argparse
import math

import torch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--accum", default=1, type=int)
    parser.add_argument("--batch_size", default=8, type=int)
    args = parser.parse_args()
    {samples}
    size = len(samples)
    model = torch.nn.Linear(64, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(3):
        for step in range(math.ceil(size / args.batch_size)):
            end = min((step + 1) * args.batch_size, size)
            batch = torch.tensor(samples[step * args.batch_size : end]).float()
            loss = model(batch).pow(2).mean() / args.accum
            loss.backward()
            {clip or "pass"}
            if (step + 1) % args.accum == 0{flush}:
                optimizer.step()
                optimizer.zero_grad()


main()
"""


@pytest.mark.parametrize("samples", SAMPLES)
def test_the_last_rows_end_a_pass_of_several_batches(samples: str) -> None:
    right = script(SAMPLES[samples], " or end == size")
    assert codes(right) == set()
    assert [each.answer for each in answers(right)] == [Answer.VERIFIED]
    clip = "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"
    assert codes(script(SAMPLES[samples], " or end == size", clip)) == {"GRD301"}


@pytest.mark.parametrize("samples", SAMPLES)
def test_rows_that_nothing_flushes_are_dropped(samples: str) -> None:
    assert "GRD202" in codes(script(SAMPLES[samples], ""))
