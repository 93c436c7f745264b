"""`gradlint show`: what gradlint made of each training loop, in words and as a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradlint.cli import CONTEXT
from gradlint.cli.completion import rules


@click.command("show", context_settings=CONTEXT)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True), metavar="[FILES]...")
@click.option("--unknown", is_flag=True, help="List only the loops that gradlint cannot judge: where, why, and what would help.")
@click.option(
    "--why",
    multiple=True,
    metavar="RULE",
    shell_complete=rules,
    help="Say for each loop why this rule reports it, or is silent: a code (GRD202) or a name (dropped-tail).",
)
@click.option(
    "--svg",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write a picture of all loops as SVG to a file (`-` writes to stdout), and no text.",
)
@click.option(
    "--output-format",
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to write the loops; json contains the picture as data.",
)
def command(paths: tuple[Path, ...], unknown: bool, why: tuple[str, ...], svg: Path | None, output_format: str) -> None:
    """Show what gradlint made of each training loop: try this first when a finding surprises you. [default: .]

    For each loop it prints the verdict (verified, wrong or unknown), the micro-batches after which the weights change,
    the accumulation steps N, the condition of the update, and the calls with how often they run. A timeline of the
    simulated run follows, over two windows and the tail: one column for each micro-batch, one row for each call. It
    marks what is wrong, and shows how it should look.

    Folders are searched as by `gradlint check`. Notebooks work like scripts, and `-` reads a script from stdin.

    Exit status: 0, or 2 if a file cannot be read or written.
    """
    from gradlint.cli.run_show import Question, run_show

    if sum((unknown, bool(why), svg is not None)) > 1:
        raise click.UsageError("give only one of --unknown, --why and --svg")
    if why and output_format == "json":
        raise click.UsageError("--why cannot be used with --output-format json")
    sys.exit(run_show(paths or (Path(),), svg, output_format, Question(unknown, why)))
