"""The rule pages: found in the installed package, or beside it in a checkout."""

from __future__ import annotations

import importlib.resources
from pathlib import Path


class MissingPage(LookupError):
    """No page for a code: the installation is incomplete."""


def page(code: str) -> str:
    """The page of a rule as Markdown. Raises MissingPage."""
    for home in (importlib.resources.files("gradlint") / "pages", Path(__file__).parent.parent / "rules"):
        candidate = home / f"{code}.md"
        if candidate.is_file():
            return candidate.read_text(encoding="utf-8")
    raise MissingPage(f"there is no page for {code}")
