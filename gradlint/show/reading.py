"""Maps the nodes of a source to the places that a reader knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from gradlint.analysis.source import Source
from gradlint.model.syntax.expressions import walk
from gradlint.show.grid import At


@dataclass(frozen=True, eq=False)
class Reading:
    """The text of a script, or the code of a notebook as one module. `place` maps its rows to places in the file."""

    source: Source
    filename: str
    place: Callable[[int], At] = At

    def at(self, node: cst.CSTNode) -> At:
        """Return the line on which a node begins."""
        return self.place(self.source.row_of(node) or 1)

    def function(self, node: cst.CSTNode | None) -> str:
        """Return the function that contains a node, or that is the node, with the classes around it: `Trainer.fit`."""
        return self._function(self.source.span(node) if node is not None else None)

    def function_at(self, row: int) -> str:
        """Return the function that contains the code in a row, or begins there."""
        start = self.source.line_starts[row - 1]
        line = self.source.text[start:].partition("\n")[0]
        first = start + len(line) - len(line.lstrip())
        return self._function((first, first))

    def _function(self, span: tuple[int, int] | None) -> str:
        nodes = (each for statement in self.source.statements for each in walk(statement))
        scopes = (each for each in nodes if isinstance(each, (cst.FunctionDef, cst.ClassDef)))
        around = []
        for scope in scopes:
            own = self.source.span(scope)
            if span is not None and own is not None and own[0] <= span[0] and span[1] <= own[1]:
                around.append((own, scope))
        names = [scope.name.value for _, scope in sorted(around, key=lambda pair: pair[0][0])]
        return ".".join(names) if any(isinstance(scope, cst.FunctionDef) for _, scope in around) else "<module>"
