"""The commands that a client can run: all fixes of a text, and what to say about the server when something is wrong with it."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import Any

from lsprotocol import types

from gradlint import __version__
from gradlint.config.load import ConfigError
from gradlint.server.convert import edit
from gradlint.server.progress import told_if_slow
from gradlint.server.server import Server
from gradlint.suppression.baseline import BaselineError

FIX_ALL = "gradlint.applyFixes"
DEBUG = "gradlint.debugInformation"


def answer_commands(server: Server) -> None:
    """Run commands. Arguments are as with other servers: an object with the `uri` of a text."""

    @server.command(FIX_ALL)
    async def apply_fixes(*arguments: Any) -> bool:
        """Fix a text, and return whether anything was changed."""
        uri = _uri(arguments)
        checked = await server.session.checked(uri) if uri is not None else None
        if checked is None or checked.problem is not None:
            return False
        document = checked.document
        async with told_if_slow(server, "gradlint: applying all fixes"):
            changes = document.rewritten(await server.session.repaired(document))
        if not changes:
            return False
        wanted = types.ApplyWorkspaceEditParams(edit(changes, server.client), "gradlint: apply all fixes")
        return (await server.workspace_apply_edit_async(wanted)).applied

    @server.command(DEBUG)
    def debug_information(*_: Any) -> str:
        """Return what a report of a mistake of the server should contain, and write it to the log of the client."""
        text = "\n".join(_information(server))
        server.window_log_message(types.LogMessageParams(types.MessageType.Info, text))
        return text


def _uri(arguments: tuple[Any, ...]) -> str | None:
    """Return the URI in the arguments of a command."""
    given = arguments[0] if arguments else None
    uri = given.get("uri") if isinstance(given, dict) else getattr(given, "uri", given)
    return uri if isinstance(uri, str) else None


def _information(server: Server) -> list[str]:
    session = server.session
    lines = [
        f"gradlint {__version__}",
        f"Python {platform.python_version()} at {sys.executable}",
        f"{platform.platform()}",
        ", ".join(f"{name} {version(name)}" for name in ("libcst", "pygls", "lsprotocol")),
        f"positions: {session.documents.encoding}; diagnostics: {'pulled' if server.client.pulls else 'pushed'}",
        f"settings of the editor: {dict(session.settings.overrides)}",
    ]
    for document in session.documents.all():
        try:
            lines.append(f"{document.uri}, version {document.version}: {session.configuration(document)}")
        except (ConfigError, BaselineError) as error:
            lines.append(f"{document.uri}, version {document.version}: {error}")
    return lines
