"""Describes a rule in a SARIF log, with the text of its page."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

from gradlint.explain import MissingPage, page
from gradlint.report.pages import PAGES, PICTURES, page_url

_TITLE = re.compile(r"\A# .*\n+")
_SEVERITY = re.compile(r"^\*\*(error|warning|info)\*\*", re.M)
_PROSE = ("What it does", "Why is this bad?")
_RELATIVE = re.compile(r"(\[[^\]]*\]\()((?!https?:)[\w./-]+\.md)(?=[)#])")
_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)\n*")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_COMMENT = re.compile(r"<!--.*?-->\n*", re.S)
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PRECISION = {"error": "very-high", "warning": "high", "note": "medium"}
"""How rarely a finding is a false alarm. What an off-by-default rule finds is often intended."""
_PROBLEMS = {"error": "error", "warning": "warning", "note": "recommendation"}


def descriptor(code: str, name: str) -> dict[str, Any]:
    """Return the reporting descriptor of a rule (3.49), with its default level, and its page as Markdown and as plain text."""
    try:
        text = page(code, pictures=PICTURES)
    except MissingPage:
        return {"id": code, "name": name, "shortDescription": {"text": name}, "helpUri": page_url(code)}
    severity = _SEVERITY.search(text)
    level = _LEVELS[severity.group(1)] if severity else "warning"
    summary = _summary(text)
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": summary or name},
        "fullDescription": {"text": _plain(_section(text, _PROSE[0])) or summary or name},
        "helpUri": page_url(code),
        "help": {"text": _help(text) or summary or name, "markdown": _markdown(text)},
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["pytorch", "gradient-accumulation"],
            "precision": _PRECISION[level],
            "problem.severity": _PROBLEMS[level],
        },
    }


def _summary(text: str) -> str:
    """Return the sentence below the line with severity and fix."""
    paragraphs = re.split(r"\n{2,}", text.partition("\n## ")[0].strip())
    return _plain(paragraphs[2]) if len(paragraphs) > 2 else ""


def _section(text: str, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found.group(1).strip() if found else ""


def _help(text: str) -> str:
    """Return the sections that say what is wrong and why, for readers that do not show Markdown."""
    return "\n\n".join(part for part in (_plain(_section(text, title)) for title in _PROSE) if part)


def _plain(markdown: str) -> str:
    text = _LINK.sub(r"\1", _PICTURE.sub("", markdown)).replace("**", "")
    return "\n\n".join(_unwrapped(part) for part in re.split(r"\n{2,}", text.strip()) if part)


def _unwrapped(paragraph: str) -> str:
    """Put a paragraph on one line, but each list item on a separate line."""
    return re.sub(r"\n(?!\s*[-*|] )\s*", " ", paragraph)


def _markdown(text: str) -> str:
    """Return the page without HTML and without its title, which readers show above it. Relative links become absolute."""
    body = _COMMENT.sub("", _TITLE.sub("", text))
    return _RELATIVE.sub(lambda link: link.group(1) + urljoin(f"{PAGES}/", link.group(2)), body).strip()
