"""`gradlint rule`: prints the pages of rules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gradlint.cli import CONTEXT
from gradlint.cli.completion import rules

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command("rule", context_settings=CONTEXT, short_help="Explain rules.")
@click.argument("names", metavar="RULE...", nargs=-1, shell_complete=rules)
@click.option("--all", "every", is_flag=True, help="Explain every rule.")
@click.option(
    "--output-format",
    type=click.Choice(["text", "markdown"]),
    default=None,
    help="text renders the pages for a terminal. [default: text on a terminal, markdown in a pipe]",
)
def command(names: Sequence[str], every: bool, output_format: str | None) -> None:
    """Explain rules, by code (GRD401), name (scheduler-per-micro-batch), or the beginning of a code (GRD4)."""
    from gradlint.config.selection import UnknownRule
    from gradlint.explain import MissingPage, page

    if bool(names) == every:
        raise click.UsageError("name one or more rules, or give --all")
    try:
        texts = [page(code) for code in _codes(names, every=every)]
    except (UnknownRule, MissingPage) as error:
        raise click.UsageError(str(error)) from error
    if output_format == "markdown" or (output_format is None and not sys.stdout.isatty()):
        click.echo("\n".join(text.rstrip("\n") + "\n" for text in texts), nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(width=min(Console().width, 100))
    if console.is_terminal:
        with console.pager(styles=True):
            console.print(*map(Markdown, texts), sep="\n")
    else:
        console.print(*map(Markdown, texts), sep="\n")


def _codes(names: Sequence[str], *, every: bool) -> list[str]:
    """Return the codes of the named rules, each once, in the order of the names. Raises UnknownRule."""
    from gradlint.config.selection import ALWAYS_ON, named
    from gradlint.registry import all_rules

    known = all_rules()
    if every:
        return [ALWAYS_ON, *(rule.code for rule in known)]
    found: dict[str, None] = {}
    for name in names:
        always = name.upper() == ALWAYS_ON or name.lower() == "syntax-error"
        found.update(dict.fromkeys([ALWAYS_ON] if always else [rule.code for rule in named(known, name)]))
    return list(found)
