"""Settings that stand in a module of the repository decide like those of the file itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradlint.run.runner import process
from gradlint.run.task import Task

LOOP = """\
import torch
from settings import {names}


def train(model, loader, optimizer, criterion):
    for step, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        if CONFIG.accum > 1:
            loss = loss / CONFIG.accum
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CONFIG.max_norm)
        if (step + 1) % CONFIG.accum == 0:
            optimizer.step()
            optimizer.zero_grad()
"""
DECAYS = """\
import torch
from conf import settings as hp


def optimizer_of(model):
    return torch.optim.Adam(model.parameters(), lr=hp.lr, weight_decay=hp.weight_decay)
"""


def codes(root: Path, text: str) -> set[str]:
    (root / ".git").mkdir(exist_ok=True)
    script = root / "train.py"
    script.write_text(text)
    return {each.code for each in process(str(script), text.encode(), Task()).diagnostics}


@pytest.mark.parametrize("names", ["CONFIG", "*"])
def test_a_class_says_that_nothing_accumulates(tmp_path: Path, names: str) -> None:
    (tmp_path / "settings.py").write_text("class CONFIG:\n    accum = 1\n    max_norm = 10.0\n")
    assert codes(tmp_path, LOOP.format(names=names)) == set()


@pytest.mark.parametrize("names", ["CONFIG", "*"])
def test_a_class_says_how_much_accumulates(tmp_path: Path, names: str) -> None:
    (tmp_path / "settings.py").write_text("class CONFIG:\n    accum = 4\n    max_norm = 10.0\n")
    assert codes(tmp_path, LOOP.format(names=names)) == {"GRD202", "GRD301"}


def test_a_module_of_settings_may_switch_the_decay_off(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "settings.py").write_text("lr = 1e-3\nweight_decay = 0.0\n")
    assert codes(tmp_path, DECAYS) == set()
