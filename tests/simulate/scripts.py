"""Small training scripts, and what a simulation says of them."""

from __future__ import annotations

from textwrap import dedent, indent

from gradlint.analysis.source import Source, read_whole
from gradlint.simulate.agreement import faults
from gradlint.simulate.simulation import Simulation, simulate
from gradlint.simulate.verdicts import Verdict, verdicts

HEAD = """\
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR

"""
_SETUP = """\
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = DataLoader(dataset, batch_size=4)
"""


def simulated(script: str) -> tuple[Simulation, ...]:
    """The simulations of a whole script."""
    source = read_whole(script)
    assert isinstance(source, Source)
    return simulate(source.statements)


def training(body: str, setup: str = "", epochs: bool = True) -> str:
    """A script around the body of a training loop over `loader`, with `i`, `x`, `y`, N in `args.accum_steps`."""
    loop = f"for i, (x, y) in enumerate(loader):\n{indent(dedent(body), '    ')}"
    if epochs:
        loop = f"for epoch in range(args.epochs):\n{indent(loop, '    ')}"
    inner = f"{_SETUP}{dedent(setup)}{loop}"
    return f"{HEAD}\ndef train(model, criterion, dataset, args):\n{indent(inner, '    ')}\n"


def codes(script: str) -> set[str]:
    """The codes of the faults of a script."""
    return {fault.code for simulation in simulated(script) for fault in faults(simulation)}


def answers(script: str) -> list[Verdict]:
    """The answers for the loops of a script."""
    return [verdict for simulation in simulated(script) for verdict in verdicts(simulation)]
