"""The command line: the `gradlint` group and its help.

A command's module is imported on demand, and the code it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from gradlint import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
COMMANDS = ("check", "rule", "rules", "show", "observe", "prove", "server", "clean", "help")
"""Each name is a module of `gradlint.cli.commands` that defines `command`."""


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

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run the group after replacing any standard streams that the process lacks."""
        from gradlint.cli.streams import settle

        settle()
        return super().main(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. An interruption exits with 130, as in shells, and a stream that cannot be written ends the run."""
        from gradlint.cli.terminal import complain, lost

        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("interrupted")
            sys.exit(130)
        except OSError as error:
            if error.filename is not None:
                raise
            lost(error)
            sys.exit(2)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command.

        The error for an unknown word suggests `check` if the word is a path, or else the closest command.
        """
        word = args[0]
        if self.get_command(ctx, word) is None:
            ctx.fail(f"{word!r} is not a command.{self._meant(ctx, word)}")
        return super().resolve_command(ctx, args)

    def _meant(self, ctx: click.Context, word: str) -> str:
        from difflib import get_close_matches

        a_file = os.path.exists(word)  # noqa: PTH110 - raises for no name
        near = ["check"] if a_file else get_close_matches(word, self.list_commands(ctx), n=1)
        return f" Did you mean `gradlint {near[0]}`?" if near else ""


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, "-V", "--version", prog_name="gradlint", message="%(prog)s %(version)s")
def main() -> None:
    """gradlint: find and fix gradient-accumulation bugs in PyTorch training scripts, without running them.

    Start with `gradlint check`. If a finding surprises you, `gradlint show FILE` prints what gradlint made of each training
    loop, and `gradlint rule GRD101` explains a rule.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
