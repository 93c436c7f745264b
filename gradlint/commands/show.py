"""`gradlint show`: what was understood of each training loop."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradlint.cli import CONTEXT


@click.command("show", context_settings=CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES...")
def command(paths: tuple[Path, ...]) -> None:
    """Show what was understood of each training loop: the first thing to try when a finding surprises.

    For each loop its events with how often they run, the accumulation steps N, the boundary of the window and the
    micro-batch on which it first holds, the scale of the loss, and where each was read.
    """
    from gradlint.decode import Undecodable, decode
    from gradlint.report.lines import safe
    from gradlint.show import show as describe

    failed = False
    for path in paths:
        try:
            decoded = decode(path.read_bytes())
        except (OSError, ValueError) as error:
            click.echo(f"error: {safe(str(path))}: {getattr(error, 'strerror', None) or error}", err=True)
            failed = True
            continue
        if isinstance(decoded, Undecodable):
            click.echo(f"error: {safe(str(path))}:{decoded.row}: {decoded.message}", err=True)
            failed = True
            continue
        for line in describe(decoded.text, str(path)).split("\n"):
            click.echo(safe(line))
    sys.exit(2 if failed else 0)
