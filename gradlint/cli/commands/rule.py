"""`gradlint rule`: the page of one rule."""

from __future__ import annotations

import sys

import click

from gradlint.cli import CONTEXT


@click.command("rule", context_settings=CONTEXT, short_help="Explain a rule.")
@click.argument("name", metavar="RULE")
@click.option(
    "--output-format",
    type=click.Choice(["text", "markdown"]),
    default=None,
    help="text renders the page for reading. [default: text on a terminal, markdown in a pipe]",
)
def command(name: str, output_format: str | None) -> None:
    """Explain a rule, by its code (GRD401) or name (scheduler-per-micro-batch)."""
    from gradlint.config.selection import ALWAYS_ON, UnknownRule, find
    from gradlint.explain import MissingPage, page
    from gradlint.registry import all_rules

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
