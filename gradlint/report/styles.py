"""Colours of the text formats. They are removed from output that should not have any."""

from __future__ import annotations

import click

from gradlint.diagnostic import Diagnostic, Severity
from gradlint.report.pages import page_url

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def coloured_code(diagnostic: Diagnostic, *, links: bool) -> str:
    """Return the rule of a finding in the colour of its severity. With `links`, it links to the rule's page."""
    code = click.style(diagnostic.code, fg=COLOURS[diagnostic.severity], bold=True)
    return f"\x1b]8;;{page_url(diagnostic.code)}\x1b\\{code}\x1b]8;;\x1b\\" if links else code
