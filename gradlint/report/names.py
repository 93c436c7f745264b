"""The names of the output formats, for those that offer them and write none."""

from __future__ import annotations

TEXT = ("full", "concise", "grouped")
"""The formats for people: they are coloured on a terminal and close with a summary."""
NAMES = (*TEXT, "json", "json-lines", "verdicts", "sarif", "github", "gitlab", "junit", "pylint")
