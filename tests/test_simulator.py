"""The simulator: what it understands of a loop, what the judge says of it, and that nothing keeps it from an answer."""

from __future__ import annotations

import libcst as cst
import pytest

from gradlint.simulate.agreement import faults
from gradlint.simulate.simulation import simulate
from gradlint.simulate.trace import What

HEAD = """
from torch.utils.data import DataLoader
import torch, itertools

def train(model, data, criterion, n_accum, epochs=2):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""

RIGHT = (
    HEAD
    + """
    for epoch in range(epochs):
        for i, (x, y) in enumerate(loader):
            loss = criterion(model(x), y) / n_accum
            loss.backward()
            if {boundary} or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""
)


def codes(text: str) -> set[str]:
    """The faults that the simulated runs of a text show."""
    return {fault.code for each in simulate(cst.parse_module(text).body) for fault in faults(each)}


BOUNDARIES = {
    "plain": "(i + 1) % n_accum == 0",
    "walrus": "(k := i + 1) % n_accum == 0",
    "divmod": "divmod(i + 1, n_accum)[1] == 0",
    "not": "not (i + 1) % n_accum",
    "lambda": "(lambda k: k % n_accum == n_accum - 1)(i)",
    "set": "i in {k * n_accum - 1 for k in range(1, 20)}",
    "last": "i % n_accum == n_accum - 1",
}


@pytest.mark.parametrize("boundary", BOUNDARIES.values(), ids=BOUNDARIES)
def test_a_boundary_is_one_however_it_is_written(boundary: str) -> None:
    text = RIGHT.format(boundary=boundary)
    assert codes(text) == set()
    assert "GRD101" in codes(text.replace(" / n_accum", ""))
    assert "GRD301" in codes(
        text.replace(
            "loss.backward()\n", "loss.backward()\n            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
        )
    )


def test_a_window_that_begins_one_micro_batch_early() -> None:
    assert "GRD201" in codes(RIGHT.format(boundary="i % n_accum == 0"))


def test_a_tail_that_nobody_flushes() -> None:
    assert codes(RIGHT.format(boundary="(i + 1) % n_accum == 0").replace(" or i + 1 == len(loader)", "")) == {"GRD202"}


@pytest.mark.parametrize(
    "division",
    [
        "loss = loss / n_accum",
        "loss /= n_accum",
        "loss = loss * (1 / n_accum)",
        "loss = loss.div(n_accum)",
        "loss = halve(loss, n_accum)",
    ],
)
def test_a_division_is_one_however_it_is_written(division: str) -> None:
    once = "def halve(value, by):\n    return value / by\n\n" + RIGHT.format(boundary="(i + 1) % n_accum == 0").replace(
        " / n_accum\n", f"\n            {division}\n", 1
    )
    assert codes(once) == set()
    assert codes(once.replace(f"            {division}\n", f"            {division}\n" * 2)) == {"GRD102"}


def test_windows_that_a_generator_yields() -> None:
    text = (
        HEAD
        + """
    def windows():
        held = []
        for batch in loader:
            held.append(batch)
            if len(held) == n_accum:
                yield held
                held = []
        if held:
            yield held

    for epoch in range(epochs):
        for window in windows():
            for x, y in window:
                (criterion(model(x), y) / len(window)).backward()
            optimizer.step()
            optimizer.zero_grad()
"""
    )
    assert codes(text) == set()
    assert "GRD101" in codes(text.replace(" / len(window)", ""))


HOSTILE = {
    "recursion": "def f(x):\n    return f(x)\nf(1)\nloss.backward()",
    "mutual recursion": "def f():\n    g()\ndef g():\n    f()\n    loss.backward()\nf()",
    "an endless loop": "while True:\n    pass\nloss.backward()",
    "a huge power": "k = 10 ** 10 ** 10\nfor i in range(k):\n    loss.backward()",
    "a huge string": "s = 'a' * 10 ** 12\nloss.backward()",
    "an endless generator": "def g():\n    while True:\n        yield 1\nfor x in g():\n    pass\nloss.backward()",
    "a growing list": "l = [1]\nwhile l:\n    l.extend(l)\nloss.backward()",
    "helpers that call each other": "".join(
        f"def f{k}():\n" + "".join(f"    f{j}()\n" for j in range(8)) + "    loss.backward()\n" for k in range(8)
    ),
    "2,000 helpers": "".join(f"def f{k}():\n    loss.backward()\n" for k in range(2000)),
    "optional terms": "def train(cfg, model, loader, optimizer):\n    for x in loader:\n        loss = model(x)\n"
    + "".join(f"        if cfg.use_{k}:\n            loss = loss + {k} * model.term(x)\n" for k in range(40))
    + "        loss.backward()\n        optimizer.step()\n        optimizer.zero_grad()\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_hangs_it_or_breaks_it(text: str) -> None:
    simulations = simulate(cst.parse_module(text).body)
    assert sum(len(run.trace.events) for each in simulations for run in each.runs) < 100_000


def test_the_same_text_always_gives_the_same_run() -> None:
    text = RIGHT.format(boundary="(i + 1) % n_accum == 0")
    first, second = (simulate(cst.parse_module(text).body)[0].main.trace for _ in range(2))
    assert [event.what for event in first.events] == [event.what for event in second.events]
    assert len(first.of(What.STEP)) == 6


def test_a_weight_beside_a_divisor_is_no_divisor() -> None:
    """A window of a plain number: `0.01 * penalty / 4` is divided by 4, not by 400."""
    text = RIGHT.format(boundary="(i + 1) % 4 == 0").replace(
        "criterion(model(x), y) / n_accum", "criterion(model(x), y) / 4 + 0.01 * model.penalty() / 4"
    )
    assert codes(text) == set()
    assert codes(text.replace("model.penalty() / 4", "model.penalty()")) == {"GRD104"}
    assert "GRD103" in codes(text.replace("/ 4 + 0.01 * model.penalty() / 4", "/ 5"))
