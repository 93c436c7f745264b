"""Finds the rule pages in the installed package, or next to it in a checkout."""

from __future__ import annotations

import importlib.resources
import re
from pathlib import Path

_PICTURE = re.compile(r"!\[([^\]]*)\]\((?!\w+:)([^)\s]+)\)")


class MissingPage(LookupError):
    """There is no page for a code, because the installation is incomplete."""


def page(code: str, *, pictures: str | None = None) -> str:
    """Return the page of a rule as Markdown that is readable outside of its folder. Raises MissingPage.

    The pictures of a page are in the repository, but not installed. Each is replaced by its alternative text, which says the same
    in words. With `pictures`, the URL of the folder `rules`, they are shown from there instead.
    """
    for home in (importlib.resources.files("gradlint") / "pages", Path(__file__).parent.parent / "rules"):
        candidate = home / f"{code}.md"
        if candidate.is_file():
            return _portable(candidate.read_text(encoding="utf-8"), pictures)
    raise MissingPage(f"there is no page for {code}")


def _portable(text: str, pictures: str | None) -> str:
    if pictures is None:
        return _PICTURE.sub(lambda found: found.group(1), text)
    return _PICTURE.sub(lambda found: f"![{found.group(1)}]({pictures}/{found.group(2)})", text)
