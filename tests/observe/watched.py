"""Runs small training scripts under `gradlint observe`, as a user would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

HEAD = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
N = 4
data = TensorDataset(torch.randn(88, 3), torch.randint(0, 2, (88,)))
loader = DataLoader(data, batch_size=8)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5)
"""
"""Eleven micro-batches a pass: two windows of four and a tail of three."""


@dataclass(frozen=True)
class Watched:
    """What a watched program left: its exit status, its own output, and the report."""

    status: int
    stdout: str
    report: str

    @property
    def codes(self) -> set[str]:
        """The rules that the run itself shows."""
        return set(re.findall(r"^\w+\[(GRD\d+)\]", self.report, re.M))

    @property
    def lines(self) -> dict[str, int]:
        """The lines of these findings, by rule."""
        return {code: int(row) for code, row in re.findall(r"^\w+\[(GRD\d+)\] \S+?:(\d+):", self.report, re.M)}


def observe(folder: Path, script: str, *options: str, arguments: tuple[str, ...] = (), **environment: str) -> Watched:
    """Observe `python train.py` in a folder."""
    (folder / "train.py").write_text(script, encoding="utf-8")
    return observe_command(folder, sys.executable, "train.py", *arguments, options=options, **environment)


def observe_command(folder: Path, *command: str, options: tuple[str, ...] = (), **environment: str) -> Watched:
    """Observe a command that runs in a folder."""
    report = folder / "report.txt"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "gradlint", "observe", "-o", str(report), *options, "--", *command],
        cwd=folder, capture_output=True, text=True, timeout=240, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    return Watched(done.returncode, done.stdout, report.read_text("utf-8") if report.exists() else done.stderr)
