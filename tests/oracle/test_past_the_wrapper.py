"""Under PyTorch, a forward pass that goes past DistributedDataParallel reduces nothing: the simulated runs say the same."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the programs train under PyTorch: install the extra `proof`")

from gradlint.analysis.source import Source, read_whole
from gradlint.simulate.simulation import simulate
from gradlint.simulate.trace import What as Happens

from .run import run
from .trace import What

SCRIPT = """\
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from toy import Net, dataset

model = DistributedDataParallel(Net())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
loader = DataLoader(dataset, batch_size=2)
for i, (x, y) in enumerate(loader):
    loss = LOSS
    (loss / 3).backward()
    if (i + 1) % 3 == 0:
        optimizer.step()
        optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("loss", "reduces"),
    (
        ("criterion(model(x), y)", True),
        ("criterion(model.module(x), y)", False),
        ("criterion(model.module.head(torch.tanh(model.module.body(x))), y)", False),
        ("criterion(model(x), y) + criterion(model.module(x), y)", True),
    ),
)
def test_what_is_reduced_is_what_pytorch_reduces(loss: str, reduces: bool) -> None:
    script = SCRIPT.replace("LOSS", loss)
    trace = run(script, 9)
    assert not trace.error
    assert {mark.reduced for mark in trace.of(What.BACKWARD)} == {reduces}
    source = read_whole(script)
    assert isinstance(source, Source)
    main = simulate(source.statements)[0].main.trace
    assert {event.reduced for event in main.of(Happens.BACKWARD)} == {reduces}
