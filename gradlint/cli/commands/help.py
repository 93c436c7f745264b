"""`gradlint help`: prints the help of a command, for users who try this instead of `--help`."""

from __future__ import annotations

import click

from gradlint.cli import CONTEXT


@click.command("help", context_settings=CONTEXT, short_help="Show help for a command.")
@click.argument("name", metavar="[COMMAND]", required=False)
@click.pass_context
def command(context: click.Context, name: str | None) -> None:
    """Show help for gradlint, or for one of its commands."""
    parent = context.parent
    assert parent is not None
    assert isinstance(parent.command, click.Group)
    if name is None:
        click.echo(parent.get_help())
        return
    _, found, _ = parent.command.resolve_command(parent, [name])
    assert found is not None
    with click.Context(found, info_name=name, parent=parent) as asked:
        click.echo(found.get_help(asked))
