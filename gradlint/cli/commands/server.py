"""`gradlint server`: the language server for editors."""

from __future__ import annotations

import sys

import click

from gradlint.cli import CONTEXT


@click.command("server", context_settings=CONTEXT)
@click.option("--stdio", is_flag=True, hidden=True, help="Accepted because many editors pass it; it is the default.")
def command(stdio: bool) -> None:
    """Start the language server, which talks to your editor over stdin and stdout.

    It needs the extra `lsp`: pip install "torch-gradlint[lsp]"
    """
    del stdio
    try:
        from gradlint.server.app import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "attrs", "cattrs"):
            raise
        from gradlint.cli.terminal import complain

        complain('the language server needs an extra: pip install "torch-gradlint[lsp]"')
        sys.exit(2)
    if sys.stdin.isatty():
        click.echo(
            "gradlint server speaks the Language Server Protocol, and your editor starts it. Press Ctrl-D to end it.", err=True
        )
    serve()
