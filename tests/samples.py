"""Small training scripts for tests that are not about rules, and ways to run the command on them."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from gradlint.cli import main

CLEAN = """\
import torch


def train(model, loader, criterion, accum_steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y) / accum_steps
        loss.backward()
        if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""

SAFE = CLEAN.replace(" / accum_steps\n", "\n")
"""One finding with a safe fix: GRD101 at line 8."""

BOTH = SAFE.replace("SGD(model.parameters(), lr=0.1)", "Adam(model.parameters(), lr=0.1, weight_decay=0.01)")
"""Two findings: GRD501 with an unsafe fix at line 5, GRD101 with a safe one at line 8."""

SYNTAX_ERROR = "import torch\n\nloss.backward(\n"


def run(*arguments: str | Path, **settings: object) -> Result:
    """The command line in this process, without configuration unless a test is about it."""
    return CliRunner().invoke(main, [str(each) for each in arguments], prog_name="gradlint", catch_exceptions=False, **settings)  # type: ignore[arg-type]


def check(*arguments: str | Path) -> Result:
    """`gradlint check --isolated`."""
    return run("check", "--isolated", *arguments)


def script(folder: Path, source: str = SAFE, name: str = "train.py") -> Path:
    """A script in a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8", newline="")
    return path
