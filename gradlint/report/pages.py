"""Where the rules' pages stand on the web."""

from __future__ import annotations

HOME = "https://github.com/torch-gradlint/torch-gradlint"
PAGES = f"{HOME}/blob/main/rules"
PICTURES = f"{HOME}/raw/main/rules"


def page_url(code: str) -> str:
    """Where a rule's page stands."""
    return f"{PAGES}/{code}.md"
