"""What came of checking one version of a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradlint.diagnostic import Diagnostic
from gradlint.server.documents import Document


class Superseded(Exception):
    """The text has changed in the meantime: what would be found is about a text that is gone."""


GoOn = Callable[[], None]
"""Called between the parts of the work; raises Superseded where the rest is in vain."""


@dataclass(frozen=True)
class Checked:
    """What was found in one version of a document, at places of the document's code.

    `unsafe` tells whether unsafe fixes are among all fixes, `problem` what is wrong with the configuration; `crash` is set
    where gradlint itself failed.
    """

    document: Document
    findings: tuple[Diagnostic, ...] = ()
    unsafe: bool = False
    problem: str | None = None
    crash: str | None = None
