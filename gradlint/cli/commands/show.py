"""`gradlint show`: what was understood of each training loop, in words and as a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradlint.cli import CONTEXT


@click.command("show", context_settings=CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILES...")
@click.option(
    "--svg",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write the picture of all loops as SVG to a file (`-`: to stdout), and no text.",
)
@click.option(
    "--output-format",
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the loops are written; json holds the picture as data.",
)
def command(paths: tuple[Path, ...], svg: Path | None, output_format: str) -> None:
    """Show what was understood of each training loop: the first thing to try when a finding surprises.

    For each loop the answer (verified, wrong or unknown), after which micro-batches it updates, the accumulation steps N,
    the condition of the update, and its calls with how often they run. Then the simulated run as a timeline over two
    windows and the tail: one column for each micro-batch, one row for each call, what is wrong marked, and how it
    should look.

    Notebooks are shown like scripts; `-` reads a script from stdin.
    """
    from gradlint.cli.run_show import run_show

    sys.exit(run_show(paths, svg, output_format))
