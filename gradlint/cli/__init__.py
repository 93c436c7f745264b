"""The command line: the group and its general help. A command is imported when it is asked for, and what it does when it runs."""

from __future__ import annotations

import os
import sys

import click

from gradlint import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
COMMANDS = ("check", "rule", "rules", "show", "server", "clean")
"""Each is `command` of the module of its name in `gradlint.cli.commands`."""


class Commands(click.Group):
    """A group whose commands are modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        from importlib import import_module

        command: click.Command = import_module(f"gradlint.cli.commands.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As in any group, but what is a file and no command was meant to be checked."""
        if self.get_command(ctx, args[0]) is None and os.path.exists(args[0]):  # noqa: PTH110 - raises for no name
            ctx.fail(f"{args[0]!r} is no command. Did you mean `gradlint check`?")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, "-V", "--version", prog_name="gradlint", message="%(prog)s %(version)s")
def main() -> None:
    """gradlint: find and fix gradient-accumulation bugs in PyTorch training scripts, without running them.

    Start with `gradlint check`. Where a finding surprises, `gradlint show FILE` tells what was understood of each
    training loop, and `gradlint rule GRD101` what a rule means.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
