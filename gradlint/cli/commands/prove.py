"""`gradlint prove`: the skeleton of a test that a training loop equals the large batch."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradlint.cli import CONTEXT


@click.command("prove", context_settings=CONTEXT)
@click.argument("path", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
    metavar="FILE",
    help="Write the test to a new file, such as tests/test_accumulation.py. An existing file is never overwritten.",
)
@click.option("--line", type=click.IntRange(min=1), help="Only write a test for the training loop at this line.")
def command(path: Path, output: Path | None, line: int | None) -> None:
    """Write a test that a training loop with accumulation equals training with the large batch.

    gradlint reads the script, and writes what it knows of each accumulating loop: the model, the data, N, the optimizer, the
    schedule. It does not run the script. `...` marks what only you know, such as a small model. The test uses
    `gradlint.testing.assert_equals_large_batch`, which runs your code under PyTorch. The test goes to stdout by default.

    Exit status: 0, 1 if there is no loop to test, or 2 if a file cannot be read or written.
    """
    from gradlint.cli.run_prove import run_prove

    sys.exit(run_prove(path, output, line))
