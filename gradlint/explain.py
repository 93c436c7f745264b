"""The rule pages: found in the installed package, or beside it in a checkout."""

from __future__ import annotations

import importlib.resources
import re
from pathlib import Path

_PICTURE = re.compile(r"!\[([^\]]*)\]\((?!\w+:)([^)\s]+)\)")


class MissingPage(LookupError):
    """No page for a code: the installation is incomplete."""


def page(code: str, *, pictures: str | None = None) -> str:
    """The page of a rule as Markdown, to be read where the folder that it came from is not. Raises MissingPage.

    The pictures of a page lie beside it in the repository and are not installed. Each gives way to its alternative text,
    which says the same in words; with `pictures`, the address of the folder `rules`, it is shown from there.
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
