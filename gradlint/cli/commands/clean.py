"""`gradlint clean`: remove caches."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradlint.cli import CONTEXT


@click.command("clean", context_settings=CONTEXT)
@click.argument("paths", nargs=-1, metavar="[FOLDERS]...")
@click.option(
    "--cache-dir",
    envvar="GRADLINT_CACHE_DIR",
    metavar="FOLDER",
    help="The cache to remove instead of those in and below FOLDERS. [env: GRADLINT_CACHE_DIR]",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not print what is removed.")
def command(paths: tuple[str, ...], cache_dir: str | None, quiet: bool) -> None:
    """Remove the caches in and below folders. [default: .]

    This removes only what gradlint has written. A folder with anything else in it stays.
    """
    from gradlint.cli.terminal import complain
    from gradlint.report.lines import safe
    from gradlint.run.cache_folder import caches_below, remove

    failed = False
    found = [Path(cache_dir)] if cache_dir else [each for path in paths or (".",) for each in caches_below(Path(path))]
    for folder in found:
        try:
            if remove(folder) and not quiet:
                click.echo(f"Removed {safe(str(folder))}", err=True)
        except OSError as error:
            failed = True
            complain(f"{folder}: cannot be removed: {error.strerror or error}")
    sys.exit(2 if failed else 0)
