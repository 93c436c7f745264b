"""`gradlint observe`: runs a training program, watches it train, and judges what it did."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradlint.cli import CONTEXT


@click.command("observe", context_settings={**CONTEXT, "ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--windows", type=click.IntRange(min=2), default=3, show_default=True, help="How many windows to measure.")
@click.option(
    "--until",
    type=click.Choice(["tail", "windows"]),
    default="tail",
    show_default=True,
    help="Observe until the end of a pass over the data, or only those windows.",
)
@click.option("--stop", is_flag=True, help="End the program once enough was observed.")
@click.option(
    "-o", "--output-file", type=click.Path(path_type=Path), metavar="FILE", help="Write the report to a file instead of stderr."
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARGS]...")
def command(command: tuple[str, ...], windows: int, until: str, stop: bool, output_file: Path | None) -> None:
    """Run your own training program, and say whether its accumulation is right: gradlint observe -- python train.py

    PyTorch's hooks record the first windows and the end of a pass over the data. They change no number, and then they are
    taken off. When the program has ended, the report goes to stderr: a timeline with the measured gradient norms, the bugs with
    their lines, and how they compare with `gradlint check`.

    Exit status: that of the program, or 2 if it cannot be started.
    """
    from gradlint.cli.run_observe import run_observe

    sys.exit(run_observe(command, windows, to_tail=until == "tail", stop=stop, output=output_file))
