"""The result of checking one version of a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gradlint.diagnostic import Diagnostic, LoopVerdict
from gradlint.server.documents import Document
from gradlint.simulate.going_on import GoOn

__all__ = ["Checked", "GoOn", "Superseded"]


class Superseded(Exception):
    """The text has changed in the meantime, so findings would be about an old version. A check's `go_on` raises it."""


@dataclass(frozen=True)
class Checked:
    """The findings in one version of a document, at places of the document's code.

    `unsafe` says whether unsafe fixes are included, and `problem` what is wrong with the configuration. `crash` is set if
    gradlint itself failed. `among` means that the modules around the text were read as well. Then `raw` has all findings before
    comments and settings apply, `followed` the paths of the modules, `texts` the texts of those that fixes change, and `loops` the
    verdict on each training loop.
    """

    document: Document
    findings: tuple[Diagnostic, ...] = ()
    unsafe: bool = False
    problem: str | None = None
    crash: str | None = None
    among: bool = False
    raw: tuple[Diagnostic, ...] = ()
    followed: frozenset[str] = frozenset()
    loops: tuple[LoopVerdict, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def says(self, other: Checked) -> bool:
        """Whether an editor would show the same for the other result."""
        if self.document is not other.document or (self.problem, self.crash) != (other.problem, other.crash):
            return False
        return list(map(_all, self.findings)) == list(map(_all, other.findings))


def _all(found: Diagnostic) -> tuple[object, ...]:
    return (found, found.severity, found.fix, found.related, found.note, found.reason)
