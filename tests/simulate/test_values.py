"""What the terms of a loss are multiplied by on their way to the gradients, however they get there."""

from __future__ import annotations

from math import isclose

import pytest
from scripts import simulated

from gradlint.simulate.trace import What

HEAD = """\
import contextlib
import functools
import torch


"""
TRAIN = """\
def train(model, criterion, loader, optimizer, accum_steps):
    for x, y in loader:
{body}
        optimizer.step()
        optimizer.zero_grad()
"""


def factors(body: str, helpers: str = "") -> list[tuple[float, str]]:
    """The factors, and doubts, of the terms that the first step of a loop finds; N is 3."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    (simulation, *_) = simulated(HEAD + helpers + TRAIN.format(body=lines))
    step = next(event for event in simulation.main.trace.events if event.what is What.STEP)
    return sorted((round(factor.value, 6), factor.doubt) for _, factor in step.terms)


THIRDS = {
    "division": ("(criterion(model(x), y) / accum_steps).backward()", ""),
    "inverse": ("share = 1 / accum_steps\n(criterion(model(x), y) * share).backward()", ""),
    "in place": ("loss = criterion(model(x), y)\nloss /= accum_steps\nloss.backward()", ""),
    "method": ("criterion(model(x), y).div(accum_steps).backward()", ""),
    "method in place": ("loss = criterion(model(x), y)\nloss.div_(accum_steps)\nloss.backward()", ""),
    "gradient of the backward pass": ("criterion(model(x), y).backward(torch.tensor(1 / accum_steps))", ""),
    "dictionary": ("losses = {'main': criterion(model(x), y)}\n(losses['main'] / accum_steps).backward()", ""),
    "list": ("parts = [criterion(model(x), y)]\n(sum(parts) / accum_steps).backward()", ""),
    "guarded": ("loss = criterion(model(x), y)\nif accum_steps > 1:\n    loss = loss / accum_steps\nloss.backward()", ""),
    "helper": (
        "share(criterion(model(x), y), accum_steps).backward()",
        "def share(loss, n):\n    return loss / n\n\n\n",
    ),
    "closure": (
        "shared(accum_steps)(criterion(model(x), y)).backward()",
        "def shared(n):\n    def divide(loss):\n        return loss / n\n    return divide\n\n\n",
    ),
    "lambda": ("(lambda loss: loss / accum_steps)(criterion(model(x), y)).backward()", ""),
    "partial": (
        "functools.partial(share, n=accum_steps)(criterion(model(x), y)).backward()",
        "def share(loss, n):\n    return loss / n\n\n\n",
    ),
    "generator": (
        "for loss in shares(criterion(model(x), y), accum_steps):\n    loss.backward()",
        "def shares(loss, n):\n    yield loss / n\n\n\n",
    ),
    "generator that another delegates to": (
        "for loss in all_shares(criterion(model(x), y), accum_steps):\n    loss.backward()",
        "def shares(loss, n):\n    yield loss / n\n\n\ndef all_shares(loss, n):\n    yield from shares(loss, n)\n\n\n",
    ),
    "generator of the one that had its name": (
        "losses = (each for each in [criterion(model(x), y)])\nlosses = (each / accum_steps for each in losses)\n"
        "for loss in losses:\n    loss.backward()",
        "",
    ),
    "context manager": (
        "with scope(accum_steps) as share:\n    (criterion(model(x), y) * share).backward()",
        "@contextlib.contextmanager\ndef scope(n):\n    yield 1 / n\n\n\n",
    ),
    "try and finally": (
        "loss = criterion(model(x), y)\ntry:\n    loss = loss / accum_steps\nfinally:\n    loss.backward()",
        "",
    ),
    "handler": (
        "loss = criterion(model(x), y)\ntry:\n    raise ValueError\nexcept ValueError:\n    loss = loss / accum_steps\nloss.backward()",
        "",
    ),
    "match": (
        "loss = criterion(model(x), y)\nmatch accum_steps:\n    case 1:\n        n = 1\n    case n:\n        loss /= n\nloss.backward()",
        "",
    ),
    "object": (
        "Share(accum_steps).of(criterion(model(x), y)).backward()",
        "class Share:\n    def __init__(self, n):\n        self.n = n\n    def of(self, loss):\n        return loss / self.n\n\n\n",
    ),
}


@pytest.mark.parametrize("way", THIRDS)
def test_a_division_by_n_is_one_wherever_it_stands(way: str) -> None:
    body, helpers = THIRDS[way]
    assert factors(body, helpers) == [(0.333333, "")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("criterion(model(x), y).backward()", [1.0]),
        ("(criterion(model(x), y) / accum_steps / accum_steps).backward()", [1 / 9]),
        ("(criterion(model(x), y) / accum_steps + 0.1 * extra(model(x))).backward()", [0.1, 1 / 3]),
        ("((criterion(model(x), y) + extra(model(x))) / 2).backward()", [0.5, 0.5]),
        ("loss = criterion(model(x), y)\n(loss + loss).backward()", [2.0]),
        ("(criterion(model(x), y) - extra(model(x))).backward()", [-1.0, 1.0]),
        ("loss = criterion(model(x), y)\nshown = loss.item() / 7\nloss.backward()", [1.0]),
    ],
)
def test_terms_keep_their_factors(body: str, expected: list[float]) -> None:
    found = factors(body)
    assert all(isclose(value, wanted, abs_tol=1e-5) for (value, _), wanted in zip(found, sorted(expected), strict=True))
    assert not any(doubt for _, doubt in found)


@pytest.mark.parametrize(
    ("body", "doubt"),
    [
        ("(criterion(model(x), y) * y.mean()).backward()", "the loss is multiplied by something that varies"),
        ("(criterion(model(x), y) / len(y)).backward()", "the loss is divided by something that varies"),
        ("reduced(criterion(model(x), y) / accum_steps).backward()", "unknown code receives the divided loss"),
        ("reduced(criterion(model(x), y), accum_steps).backward()", "unknown code receives the accumulation steps"),
        ("criterion(model(x), y).sum().backward()", "the loss is a sum over the rows of the batch"),
    ],
)
def test_what_is_not_known_of_a_factor_is_said(body: str, doubt: str) -> None:
    assert [each for _, each in factors(body)] == [doubt]


def test_the_loss_of_detached_values_reaches_no_weights() -> None:
    cached = "with torch.no_grad():\n    hidden = model(x)\ncriterion(hidden, y).detach().backward()\n"
    assert factors(cached + "criterion(model(x), y).backward()") == [(1.0, "")]


def test_what_is_zeroed_is_gone() -> None:
    body = "extra(model(x)).backward()\noptimizer.zero_grad()\ncriterion(model(x), y).backward()"
    assert factors(body) == [(1.0, "")]
