"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gradlint import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, "-V", "--version", prog_name="gradlint")
def main() -> None:
    """gradlint: find and fix gradient-accumulation bugs in PyTorch training scripts, without running them.

    Run `gradlint check` on files or folders; `gradlint show FILE` tells what it understood of a training loop,
    `gradlint rule GRD101` what a rule means.
    """


def _selectors(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """`--select A,B --select C`; None where the option is not given."""
    del context, option
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip()) if values else None


@main.command(context_settings=CONTEXT)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILES]...")
@click.option("--fix", "fixing", is_flag=True, help="Apply safe fixes to the files; what remains is reported.")
@click.option("--unsafe-fixes/--no-unsafe-fixes", default=None, help="Include fixes that may change what the author chose on purpose.")
@click.option("--diff", is_flag=True, help="Show the fixes as a unified diff; nothing is written. Exit status 1 if there is one.")
@click.option("--select", multiple=True, callback=_selectors, metavar="RULES", help="Comma-separated codes, prefixes or names to enable (or ALL).")
@click.option("--ignore", multiple=True, callback=_selectors, metavar="RULES", help="Comma-separated codes, prefixes or names to disable.")
@click.option("--exclude", multiple=True, callback=_selectors, metavar="PATTERNS", help="Further gitignore patterns of paths to leave out.")
@click.option("--output-format", type=click.Choice(["full", "concise", "json"]), default=None, help="How findings are written. [default: full]")
@click.option("-o", "--output-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the report to a file instead.")
@click.option("--statistics", is_flag=True, help="Show counts for every rule with at least one finding.")
@click.option("--config", "config_file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Read [tool.gradlint] from this file.")
@click.option("--isolated", is_flag=True, help="Ignore all configuration files.")
@click.option("--exit-zero", is_flag=True, help="Exit with status 0 even where something was found.")
@click.option("--no-cache", is_flag=True, help="Accepted for compatibility: gradlint keeps no cache.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=None, help="Processes to use at the most. [default: as the work needs]")
@click.option("-q", "--quiet", is_flag=True, help="Print findings only, no summary.")
def check(**options: Any) -> None:
    """Check files and folders (by default the current one) for gradient-accumulation bugs.

    Exit status: 0 nothing found, 1 something found, 2 wrong usage or an internal error.
    """
    from gradlint.checking import Options, run_check

    options["paths"] = options["paths"] or (Path("."),)
    del options["no_cache"]
    sys.exit(run_check(Options(**options)))


@main.command(context_settings=CONTEXT)
@click.argument("name", metavar="RULE")
@click.option("--output-format", type=click.Choice(["text", "markdown"]), default=None, help="[default: text on a terminal, else markdown]")
def rule(name: str, output_format: str | None) -> None:
    """Explain a rule, by its code (GRD401) or name (scheduler-per-micro-batch)."""
    from gradlint.explain import MissingPage, page
    from gradlint.registry import all_rules
    from gradlint.selection import UnknownRule, find

    try:
        text = page("GRD000" if name.upper() == "GRD000" else find(all_rules(), name).code)
    except (UnknownRule, MissingPage) as error:
        raise click.UsageError(str(error)) from error
    if output_format == "markdown" or (output_format is None and not sys.stdout.isatty()):
        click.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(width=min(Console().width, 100)).print(Markdown(text))


@main.command(context_settings=CONTEXT)
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def rules(output_format: str) -> None:
    """List every rule."""
    import json

    from gradlint.registry import all_rules

    known = all_rules()
    if output_format == "json":
        rows = [{"code": r.code, "name": r.name, "severity": r.severity.value, "summary": r.summary} for r in known]
        click.echo(json.dumps(rows, indent=2))
        return
    longest = max(len(each.name) for each in known)
    for each in known:
        default = "" if each.on_by_default else " (off by default)"
        click.echo(f"{each.code}  {each.name:<{longest}}  {each.severity.value:<7}  {each.summary}{default}")


@main.command(context_settings=CONTEXT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILES...")
def show(paths: tuple[Path, ...]) -> None:
    """Show what the model saw: each training loop with its events, cadences, N, boundary, phase and loss scale."""
    from gradlint.decode import Undecodable, decode
    from gradlint.report.lines import safe
    from gradlint.show import show as describe

    for path in paths:
        decoded = decode(path.read_bytes())
        if isinstance(decoded, Undecodable):
            raise click.ClickException(f"{path}:{decoded.row}: {decoded.message}")
        for line in describe(decoded.text, str(path)).split("\n"):
            click.echo(safe(line))


if __name__ == "__main__":
    main()
