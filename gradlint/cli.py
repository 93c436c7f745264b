"""The command line: options and help; what a command does is imported when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gradlint import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
RULES, FILES, OUTPUT, OTHER = "Rule selection", "File selection", "Output", "Miscellaneous"
Command = TypeVar("Command", bound=Callable[..., Any])


class Sections(click.Command):
    """A command whose help lists its options under headings."""

    headings: dict[str, str]
    """The heading of each option that is not under `Options`, by the name of its parameter."""

    def __init__(self, *arguments: Any, headings: dict[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.headings = headings or {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                heading = OTHER if "--help" in parameter.opts else self.headings.get(parameter.name or "", "Options")
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, "-V", "--version", prog_name="gradlint", message="%(prog)s %(version)s")
def main() -> None:
    """gradlint: find and fix gradient-accumulation bugs in PyTorch training scripts, without running them.

    Start with `gradlint check`. Where a finding surprises, `gradlint show FILE` tells what was understood of each
    training loop, and `gradlint rule GRD101` what a rule means.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _selectors(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """`--select A,B --select C`; None where the option is not given."""
    del context, option
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip()) if values else None


@main.command(
    cls=Sections,
    context_settings=CONTEXT,
    headings={
        "select": RULES,
        "ignore": RULES,
        "exclude": FILES,
        "force_exclude": FILES,
        "output_format": OUTPUT,
        "output_file": OUTPUT,
        "statistics": OUTPUT,
        "quiet": OUTPUT,
        "exit_zero": OUTPUT,
        "config_file": OTHER,
        "isolated": OTHER,
        "jobs": OTHER,
        "no_cache": OTHER,
    },
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILES]...")
@click.option("--fix", "fixing", is_flag=True, help="Apply safe fixes to the files, and report what remains.")
@click.option(
    "--unsafe-fixes/--no-unsafe-fixes",
    default=None,
    help="Include fixes that may change what the author chose on purpose, or that rest on an assumption.",
)
@click.option(
    "--diff",
    is_flag=True,
    help="Write nothing; show what `--fix` would change as a unified diff, and exit with 1 if there is any.",
)
@click.option(
    "--select",
    multiple=True,
    callback=_selectors,
    metavar="RULES",
    help="Comma-separated rules to enable: codes (GRD401), beginnings of codes (GRD4), names (unscaled-loss), or ALL. "
    "[default: every rule of severity error or warning]",
)
@click.option(
    "--ignore",
    multiple=True,
    callback=_selectors,
    metavar="RULES",
    help="Comma-separated rules to disable, named in the same ways.",
)
@click.option(
    "--exclude",
    multiple=True,
    callback=_selectors,
    metavar="PATTERNS",
    help="Comma-separated patterns, as in a .gitignore, of files and folders to leave out in addition to those that "
    ".gitignore files and the configuration name.",
)
@click.option(
    "--force-exclude", is_flag=True, help="Leave out what is excluded even where it is named itself, as pre-commit does."
)
@click.option(
    "--output-format",
    type=click.Choice(["full", "concise", "json"]),
    default=None,
    help="How findings are written. [default: full]",
)
@click.option(
    "-o",
    "--output-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report to a file instead of stdout.",
)
@click.option("--statistics", is_flag=True, help="Show how often each rule was found instead of the findings.")
@click.option("-q", "--quiet", is_flag=True, help="Print findings, and nothing else.")
@click.option("-e", "--exit-zero", is_flag=True, help="Exit with status 0 even where something was found.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Take the configuration from [tool.gradlint] of this file, whatever is nearest to the files that are checked.",
)
@click.option("--isolated", is_flag=True, help="Ignore all configuration files.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="The number of processes to use at the most. [default: as the work needs]",
)
@click.option(
    "-n",
    "--no-cache",
    is_flag=True,
    help="Check every file anew. (There is no cache yet; the option is accepted for the day there is one.)",
)
def check(**options: Any) -> None:
    """Check files and folders for gradient-accumulation bugs. [default: .]

    Folders are searched for Python files that no .gitignore leaves out; a file that is named itself is always checked.

    Exit status: 0 if nothing was found, 1 if something was, 2 if gradlint was called wrongly or failed.
    """
    from gradlint.checking import Options, run_check

    options["paths"] = options["paths"] or (Path(),)
    del options["no_cache"]
    sys.exit(run_check(Options(**options)))


@main.command(context_settings=CONTEXT)
@click.argument("name", metavar="RULE")
@click.option(
    "--output-format",
    type=click.Choice(["text", "markdown"]),
    default=None,
    help="text renders the page for reading. [default: text on a terminal, markdown in a pipe]",
)
def rule(name: str, output_format: str | None) -> None:
    """Explain a rule, by its code (GRD401) or name (scheduler-per-micro-batch)."""
    from gradlint.explain import MissingPage, page
    from gradlint.registry import all_rules
    from gradlint.selection import ALWAYS_ON, UnknownRule, find

    try:
        always = name.upper() == ALWAYS_ON or name.lower() == "syntax-error"
        text = page(ALWAYS_ON if always else find(all_rules(), name).code)
    except (UnknownRule, MissingPage) as error:
        raise click.UsageError(str(error)) from error
    if output_format == "markdown" or (output_format is None and not sys.stdout.isatty()):
        click.echo(text, nl=not text.endswith("\n"))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(width=min(Console().width, 100)).print(Markdown(text))


@main.command(context_settings=CONTEXT)
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How the list is written."
)
def rules(output_format: str) -> None:
    """List every rule with its code, name, severity and summary."""
    import json

    from gradlint.registry import all_rules
    from gradlint.report.machine import page_url

    known = all_rules()
    if output_format == "json":
        rows = [
            {
                "code": each.code,
                "name": each.name,
                "severity": each.severity.value,
                "summary": each.summary,
                "default": each.on_by_default,
                "url": page_url(each.code),
            }
            for each in known
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    longest = max(len(each.name) for each in known)
    for each in known:
        default = "" if each.on_by_default else " (off by default)"
        click.echo(f"{each.code}  {each.name:<{longest}}  {each.severity.value:<7}  {each.summary}{default}")


@main.command(context_settings=CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES...")
def show(paths: tuple[Path, ...]) -> None:
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


if __name__ == "__main__":
    main()
