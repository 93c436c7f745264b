"""No text takes a simulation long, and none makes it fail."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from scripts import answers, codes, simulated, training

from gradlint.simulate import machine
from gradlint.simulate.torch_names import FUNCTIONS
from gradlint.simulate.verdicts import Answer

LOOP = """\
def train(model, criterion, loader, optimizer, accum_steps):
    for i, (x, y) in enumerate(loader):
        {line}
        (criterion(model(x), y) / accum_steps).backward()
        if (i + 1) % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""
HARD = {
    "infinite number of steps": LOOP.format(line="pass").replace("accum_steps):", "accum_steps=1e999):"),
    "recursion": "def deep(n):\n    return deep(n + 1)\n\n\n" + LOOP.format(line="deep(0)"),
    "mutual recursion": "def a(n):\n    return b(n)\n\n\ndef b(n):\n    return a(n)\n\n\n" + LOOP.format(line="a(0)"),
    "loop without an exit": LOOP.format(line="while True:\n            pass"),
    "huge power": LOOP.format(line="size = 10 ** 10 ** 10"),
    "huge shift": LOOP.format(line="size = 1 << (1 << 40)"),
    "huge list": LOOP.format(line="rows = [0] * 10 ** 12"),
    "huge range": LOOP.format(line="total = sum(range(10 ** 12))"),
    "endless generator": "def ever():\n    while True:\n        yield 1\n\n\n" + LOOP.format(line="list(ever())"),
    "endless count": "import itertools\n\n\n" + LOOP.format(line="all(k >= 0 for k in itertools.count())"),
    "growing list": LOOP.format(line="rows = [0]\n        for row in rows:\n            rows.append(row)"),
    "growing text": LOOP.format(line="text = 'x'\n        for _ in range(100):\n            text = text + text"),
    "list of itself": LOOP.format(line="rows = []\n        rows.append(rows)\n        print(rows, len(rows), rows == rows)"),
    "division by zero": LOOP.format(line="rest = i % 0 + i / 0 + i // 0"),
    "nothing known": LOOP.format(line="a.b[c](*d, **e)[f:g] @ h"),
    "own exception": LOOP.format(line="raise StopIteration"),
    "many helpers": "".join(f"def f{n}(x):\n    return f{n + 1}(x)\n\n\n" for n in range(2000)) + LOOP.format(line="f0(x)"),
    "many branches": LOOP.format(line="\n        ".join(f"if args.flag{n}: model = wrap(model)" for n in range(300))),
    "deep expression": LOOP.format(line="n = " + "+".join(["1"] * 400)),
    "empty": "",
    "class without a body": "class Trainer: ...\n\n\n" + LOOP.format(line="Trainer().step()"),
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_every_text_has_a_simulation_of_bounded_length(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paid = 0
    pay = machine.Machine.tick

    def counted(self: machine.Machine, *args: object) -> None:
        nonlocal paid
        paid += 1
        pay(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(machine.Machine, "tick", counted)
    found = simulated(text)
    assert paid <= (machine.STEPS + 1) * 24
    assert all(len(run.trace.events) < machine.STEPS for each in found for run in each.runs)


def test_a_run_that_is_left_says_where() -> None:
    found = simulated("def deep(n):\n    return deep(n + 1)\n\n\n" + LOOP.format(line="deep(0)"))
    traces = [run.trace for each in found for run in each.runs]
    assert all(trace.ended_at is not None for trace in traces if trace.ended)


CHOOSES = """
import torch

def train(args, model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if args.kind not in {"plain", "half", "double", "brain", "mixed"}:
        raise ValueError(args.kind)
    for i, batch in enumerate(loader):
        model(batch).backward()
        if args.kind == "half" or (i + 1) % args.accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""


def test_runs_are_the_same_in_every_process() -> None:
    """Names are hashed with another seed in each process, and sets walked in another order."""
    code = (
        "import sys; from gradlint.analysis.source import read_whole; from gradlint.simulate.simulation import simulate\n"
        "for each in simulate(read_whole(sys.argv[1]).statements):\n"
        "    print([(run.world, [event.what.name for event in run.trace.events]) for run in each.runs])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code, CHOOSES],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(told) == 1 and told.pop().count("World") > 2


# Known functions, called as nobody should

_ODD = ("", "[]", "None", '""', "loss", "model", "optimizer", "loader", "-1", "x, y", "*[]", "*x", "None, None, None")
_ODDER = (
    "{}",
    "lambda: 0",
    "loss, optimizer, model",
    "10**30",
    "float('nan')",
    "float('inf')",
    "0, 0",
    "optimizer, loss",
    "[loss], 2",
)


@pytest.mark.parametrize("path", sorted(FUNCTIONS))
def test_a_known_function_that_is_called_wrongly_ends_no_run(path: str) -> None:
    module, _, name = path.rpartition(".")
    head = f"from {module or 'torch'} import {name}\n" if module != "builtins" else ""
    tried = (f"try:\n    z = {name}({given})\n    z[0]\n    z > 2\nexcept Exception:\n    pass\n" for given in (*_ODD, *_ODDER))
    assert simulated(head + training(f"loss = model(x).mean()\n{''.join(tried)}loss.backward()\noptimizer.step()\n"))


# Loops that lead to no backward pass

_SIFTED = """\
labels = y.clone()
for row in range(labels.shape[0]):
    at = 0
    while at < labels.shape[1] and labels[row][at] != args.sep:
        labels[row][at] = -100
        at += 1
    for end in torch.where(labels[row] == args.end)[0]:
        place = end + 1
        while place < labels.shape[1] and labels[row][place] != args.sep:
            labels[row][place] = -100
            place += 1
(criterion(model(x), labels) / args.accum_steps).backward()
{clip}
if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
    {step}
    optimizer.step()
    optimizer.zero_grad()
"""
_CLIP = "clip_grad_norm_(model.parameters(), 1.0)"


def test_a_run_gets_beyond_loops_that_prepare_data() -> None:
    assert not codes(training(_SIFTED.format(clip="pass", step=_CLIP)))
    assert {each.answer for each in answers(training(_SIFTED.format(clip="pass", step=_CLIP)))} == {Answer.VERIFIED}
    assert codes(training(_SIFTED.format(clip=_CLIP, step="pass"))) == {"GRD301"}


def test_a_run_gets_beyond_a_loop_that_waits_for_data() -> None:
    waiting = """\
import requests


def get_batch():
    try:
        answer = requests.get(url).content
    except Exception:
        return None
    rows = []
    for _ in range(int.from_bytes(answer, "big")):
        rows.append(int.from_bytes(answer, "big"))
    return rows


def train(model, optimizer, loader, steps, accum_steps):
    for step in range(steps):
        batch = get_batch()
        while batch is None:
            batch = get_batch()
        (model(batch).mean() / accum_steps).backward()
        if (step + 1) % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""
    assert {each.answer for each in answers(waiting)} == {Answer.VERIFIED}
