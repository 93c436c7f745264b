"""The documents that are open in the editor: scripts, and notebooks whose cells form one module."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.uris import to_fs_path

from gradlint.diagnostic import Place, Span, TextEdit
from gradlint.server.text import UTF_16, Text

if TYPE_CHECKING:
    from gradlint.files.notebook import Notebook


@dataclass(frozen=True, eq=False)
class Script:
    """One version of an open script."""

    uri: str
    version: int | None
    text: Text

    @property
    def path(self) -> Path | None:
        """The path of the file, even if it does not exist yet, or None for a document outside of the file system."""
        return path_of(self.uri)

    @property
    def code(self) -> str:
        """The code to check."""
        return self.text.content

    @property
    def texts(self) -> Mapping[str, Text]:
        """The texts that have diagnostics."""
        return {self.uri: self.text}

    def location(self, span: Span) -> types.Location | None:
        """Return where the editor shows a span of the code."""
        return types.Location(self.uri, self.text.range(span))

    def place(self, uri: str, position: types.Position) -> Place | None:
        """Convert a position in one of the texts to a place in the code."""
        return self.text.place(position) if uri == self.uri else None

    def repaired(self, edits: Sequence[TextEdit]) -> list[types.TextDocumentEdit]:
        """Convert edits of the code to edits of the editor's texts."""
        found = [types.TextEdit(self.text.range(edit.span), edit.content) for edit in edits]
        return _edited(self.uri, self.version, found)

    def rewritten(self, code: str) -> list[types.TextDocumentEdit]:
        """Return the edits that change the code into `code`."""
        return _edited(self.uri, self.version, self.text.edits_to(code))


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook. Only Python cells are part of the module."""

    uri: str
    version: int | None
    text: Text
    python: bool


@dataclass(frozen=True, eq=False)
class OpenNotebook:
    """One version of an open notebook."""

    uri: str
    version: int | None
    cells: tuple[Cell, ...]

    @property
    def path(self) -> Path | None:
        return path_of(self.uri)

    @cached_property
    def notebook(self) -> Notebook:
        """The cells as the command would read them from a file, so that both see the same module and the same magics."""
        from gradlint.files.notebook import read_notebook

        cells = [{"cell_type": "code" if cell.python else "markdown", "source": cell.text.content} for cell in self.cells]
        return read_notebook(json.dumps({"cells": cells}, indent=1))

    @property
    def code(self) -> str:
        return self.notebook.code

    @property
    def texts(self) -> Mapping[str, Text]:
        return {cell.uri: cell.text for cell in self.cells}

    def location(self, span: Span) -> types.Location | None:
        number, first = self.notebook.place(span.start.row)
        other, last = self.notebook.place(span.end.row)
        if number != other:
            return None
        cell = self.cells[number - 1]
        here = Span(Place(first, span.start.column), Place(last, span.end.column))
        return types.Location(cell.uri, cell.text.range(here))

    def place(self, uri: str, position: types.Position) -> Place | None:
        for number, start in zip(self.notebook.cells, self.notebook.starts, strict=True):
            if self.cells[number - 1].uri == uri:
                here = self.cells[number - 1].text.place(position)
                return Place(start + here.row - 1, here.column)
        return None

    def repaired(self, edits: Sequence[TextEdit]) -> list[types.TextDocumentEdit]:
        from gradlint.analysis.text_changes import edited

        return self.rewritten(edited(self.code, edits))

    def rewritten(self, code: str) -> list[types.TextDocumentEdit]:
        from gradlint.files.notebook import Unwritable

        try:
            sources = self.notebook.sources_of(code)
        except Unwritable:
            return []
        changed = [(self.cells[number - 1], source) for number, source in sources.items()]
        return [edit for cell, source in changed for edit in _edited(cell.uri, cell.version, cell.text.edits_to(source))]


Document = Script | OpenNotebook


def path_of(uri: str) -> Path | None:
    """Return the path for the URI of a file, or None if it has none."""
    path = to_fs_path(uri)
    return Path(path) if path else None


def _edited(uri: str, version: int | None, edits: Sequence[types.TextEdit]) -> list[types.TextDocumentEdit]:
    return (
        [types.TextDocumentEdit(types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version), edits)] if edits else []
    )


@dataclass
class Documents:
    """The open documents, kept in sync with the client's messages.

    pygls keeps texts as well, but splits lines where the protocol does not. See `Text`.
    """

    encoding: str = UTF_16
    _open: dict[str, Document] = field(default_factory=dict)
    _home: dict[str, str] = field(default_factory=dict)
    """The notebook of each cell."""

    def all(self) -> tuple[Document, ...]:
        return tuple(self._open.values())

    def get(self, uri: str) -> Document | None:
        """Return the open document of a URI. For a cell, that is its notebook."""
        return self._open.get(self._home.get(uri, uri))

    def open(self, item: types.TextDocumentItem) -> None:
        """Open a script. Some clients send every file, whatever its language."""
        if item.language_id.lower() != "python" and not item.uri.endswith(".py"):
            return
        self._open[item.uri] = Script(item.uri, item.version, Text(item.text, self.encoding))

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Apply the changes of a script in order. Ignore a script that is not open."""
        document = self._open.get(params.text_document.uri)
        if isinstance(document, Script):
            text = document.text
            for change in params.content_changes:
                text = text.changed(change)
            self._open[document.uri] = Script(document.uri, params.text_document.version, text)

    def close(self, uri: str) -> Document | None:
        """Close a document. Return the document if it was open."""
        self._home = {cell: home for cell, home in self._home.items() if home != uri}
        return self._open.pop(uri, None)

    def open_notebook(self, params: types.DidOpenNotebookDocumentParams) -> None:
        book, items = params.notebook_document, {item.uri: item for item in params.cell_text_documents}
        cells = [self._cell(cell, items[cell.document]) for cell in book.cells if cell.document in items]
        self._keep(OpenNotebook(book.uri, book.version, tuple(cells)))

    def change_notebook(self, params: types.DidChangeNotebookDocumentParams) -> tuple[str, ...]:
        """Apply the changes of a notebook. Return the cells that are no longer in it."""
        book = self._open.get(params.notebook_document.uri)
        if not isinstance(book, OpenNotebook):
            return ()
        cells = {cell.uri: cell for cell in book.cells}
        order = [cell.uri for cell in book.cells]
        changes = params.change.cells
        structure = changes.structure if changes is not None else None
        if structure is not None:
            opened = {item.uri: item for item in structure.did_open or ()}
            new = structure.array.cells or ()
            cells.update((cell.document, self._cell(cell, opened[cell.document])) for cell in new if cell.document in opened)
            start = structure.array.start
            order[start : start + structure.array.delete_count] = [cell.document for cell in new]
        for part in (changes.text_content if changes is not None else None) or ():
            cell = cells.get(part.document.uri)
            if cell is not None:
                text = cell.text
                for change in part.changes:
                    text = text.changed(change)
                cells[cell.uri] = replace(cell, text=text, version=part.document.version)
        self._keep(OpenNotebook(book.uri, params.notebook_document.version, tuple(cells[uri] for uri in order if uri in cells)))
        return tuple(cell.uri for cell in book.cells if cell.uri not in order)

    def _keep(self, book: OpenNotebook) -> None:
        self._open[book.uri] = book
        self._home = {cell: home for cell, home in self._home.items() if home != book.uri}
        self._home.update((cell.uri, book.uri) for cell in book.cells)

    def _cell(self, cell: types.NotebookCell, item: types.TextDocumentItem) -> Cell:
        python = cell.kind == types.NotebookCellKind.Code and item.language_id == "python"
        return Cell(item.uri, item.version, Text(item.text, self.encoding), python)
