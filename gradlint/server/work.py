"""What the threads of a session do.

They import the analysis only when there is something to analyse, because a server must start at once.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradlint.diagnostic import Diagnostic
from gradlint.server.documents import Document
from gradlint.server.drawn import Drawing
from gradlint.server.found import Checked, GoOn
from gradlint.server.policy import Policies


def warm_up() -> None:
    """Import what the first check needs."""
    from gradlint.registry import all_rules
    from gradlint.server import check

    del check
    all_rules()
    gc.collect()
    gc.freeze()  # imported objects stay, so the collector need not look at them again with every analysis


def check(document: Document, policies: Policies, memories: dict[str, Any], go_on: GoOn) -> Checked:
    from gradlint.server.check import check as really

    return really(document, policies, memories, go_on)


def check_among(document: Document, policies: Policies, unsaved: Mapping[str, str], go_on: GoOn) -> Checked:
    from gradlint.server.check_among import check_among as really

    return really(document, policies, unsaved, go_on)


def text_of(path: Path) -> str | None:
    from gradlint.files.decode import Undecodable, decode
    from gradlint.files.read import content

    try:
        decoded = decode(content(path))
    except (OSError, ValueError):
        return None
    return None if isinstance(decoded, Undecodable) else decoded.text


def draw(document: Document, policies: Policies, unsaved: Mapping[str, str], go_on: GoOn) -> Drawing:
    from gradlint.server.drawing import draw as really

    return really(document, policies, unsaved, go_on)


def remember(checked: Checked, memories: dict[str, Any]) -> None:
    from gradlint.server.check import remember as really

    really(checked, memories)


def repair(document: Document, policies: Policies, unsaved: Mapping[str, str] | None) -> str:
    from gradlint.server.check import repair as really

    return really(document, policies, unsaved)


def silence(document: Document, finding: Diagnostic) -> str:
    from gradlint.server.check import silence as really

    return really(document, finding)
