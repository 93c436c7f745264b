"""The names of the output formats, for modules that list formats without writing any."""

from __future__ import annotations

TEXT = ("full", "concise", "grouped")
"""The formats for people. They are coloured on a terminal, and end with a summary."""
NAMES = (*TEXT, "json", "json-lines", "verdicts", "sarif", "github", "gitlab", "junit", "checkstyle", "pylint", "rdjson")
