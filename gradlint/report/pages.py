"""Where to find the rules' pages on the web."""

from __future__ import annotations

HOME = "https://github.com/torch-gradlint/torch-gradlint"
PAGES = f"{HOME}/blob/main/rules"
PICTURES = f"{HOME}/raw/main/rules"


def page_url(code: str) -> str:
    """Return the URL of a rule's page."""
    return f"{PAGES}/{code}.md"
