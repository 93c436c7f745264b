"""`gradlint-organisation`: survey many repositories, report what was found, and prepare the fixes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from gradlint import __version__

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_PARTS = ("distributed", "dask", "pyarrow", "psutil", "altair", "vl_convert", "jinja2")


def main() -> None:
    """Run the command, or say which extra is missing."""
    try:
        commands(prog_name="gradlint-organisation")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PARTS:
            raise
        click.echo('gradlint-organisation needs an extra: pip install "torch-gradlint[organisation]"', err=True)
        sys.exit(2)


@click.group("gradlint-organisation", context_settings=_CONTEXT)
@click.version_option(__version__, "-V", "--version", prog_name="gradlint-organisation", message="%(prog)s %(version)s")
def commands() -> None:
    """Check all repositories of an organisation, and report what was found."""


@commands.command("survey")
@click.argument("list_file", metavar="LIST", type=click.File(encoding="utf-8"))
@click.option("-o", "--output", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to write.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler, such as tcp://host:8786. Default: this machine.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes on this machine. Default: one for each core.")
@click.option("--timeout", default=600.0, show_default=True, type=click.FloatRange(min=0), help="Seconds for a repository.")
@click.option("--memory", default=2000, show_default=True, type=click.IntRange(min=1), help="MiB for a repository.")
@click.option("--select", multiple=True, metavar="RULES", help="Rules to run, as for `gradlint check`.")
@click.option("--retry", is_flag=True, help="Check failed repositories again.")
def survey_command(
    list_file: Iterable[str], folder: Path, scheduler: str | None, workers: int | None, timeout: float, memory: int,
    select: tuple[str, ...], retry: bool,
) -> None:  # fmt: skip
    """Check the repositories in LIST: one path or address per line, `#` starts a comment, `-` reads stdin.

    Each repository's findings and verdicts are written as soon as it is done. If you run the command again with the same folder,
    it goes on where it stopped. A token for private repositories comes from the environment variable GRADLINT_GIT_TOKEN, and
    is sent to GRADLINT_GIT_HOST only (github.com by default).
    """
    from gradlint.organisation.survey import survey
    from gradlint.organisation.worker import Limits

    names = _names(list_file)
    limits, rules = Limits(timeout, memory), [each for one in select for each in one.split(",")] or None
    failed = 0
    for each in survey(names, folder, scheduler, workers=workers, limits=limits, select=rules, retry=retry):
        failed += each.state != "done"
        told = f": {each.message}" if each.message else ""
        click.echo(f"[{each.done}/{each.total}] {_printable(each.repository)} {each.state}{_printable(told)}", err=True)
    click.echo(f"{len(set(names))} repositories, {failed} failed in this run: {folder / 'findings.parquet'}")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


@commands.command("report")
@click.argument("surveys", metavar="SURVEY...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", "target", default="report.html", show_default=True, type=click.Path(dir_okay=False, path_type=Path)
)
def report_command(surveys: tuple[Path, ...], target: Path) -> None:
    """Write one HTML page about surveys. SURVEY is the folder of a survey, or its findings.parquet.

    The page describes the last survey, and how the verdicts changed if there are several. It loads nothing from the network.
    """
    from gradlint.organisation.report import write_report

    write_report(surveys, target)
    click.echo(str(target))


@commands.command("branches")
@click.argument("list_file", metavar="LIST", type=click.File(encoding="utf-8"))
@click.option(
    "-o", "--output", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to clone to."
)
@click.option("--timeout", default=600.0, show_default=True, type=click.FloatRange(min=0), help="Seconds for a repository.")
def branches_command(list_file: Iterable[str], folder: Path, timeout: float) -> None:
    """Prepare pull requests: clone the repositories in LIST, and commit the safe fixes on a branch of each clone.

    Beside each clone with fixes, a patch holds the same commit. Nothing is pushed, and no repository in LIST is changed.
    """
    import subprocess

    from gradlint.organisation.branches import prepare
    from gradlint.organisation.git import GitFailed, without_password

    for name in _names(list_file):
        try:
            patch = prepare(name, folder, timeout)
            told = f"nothing to fix in {without_password(name)}" if patch is None else str(patch)
        except (GitFailed, OSError, subprocess.TimeoutExpired) as error:
            told = f"failed: {without_password(name)}: {error}"
        click.echo(_printable(told))


def _names(list_file: Iterable[str]) -> list[str]:
    return [line.strip() for line in list_file if line.strip() and not line.lstrip().startswith("#")]
