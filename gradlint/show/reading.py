"""A source that was read, and where its nodes stand for a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from gradlint.analysis.source import Source
from gradlint.show.grid import At


@dataclass(frozen=True, eq=False)
class Reading:
    """The text of a script, or the code of a notebook as one module; `place` tells where one of its rows stands."""

    source: Source
    filename: str
    place: Callable[[int], At] = At

    def at(self, node: cst.CSTNode) -> At:
        """The line on which a node begins."""
        span = self.source.span(node)
        return self.place(self.source.row_column(span[0])[0] if span is not None else 1)
