"""The server and its state, which the handlers of all messages share."""

from __future__ import annotations

from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.lsp.server import LanguageServer

from gradlint import __version__
from gradlint.report.lines import one_line
from gradlint.server.convert import SOURCE, Client, diagnostics
from gradlint.server.documents import Document, Script
from gradlint.server.found import Checked
from gradlint.server.policy import read_settings
from gradlint.server.session import Session

_NOTEBOOKS = types.NotebookDocumentSyncOptions(
    [types.NotebookDocumentFilterWithCells([types.NotebookCellLanguage("python")])], save=True
)


class Server(LanguageServer):
    """The server and its state. Errors in it are logged, and shown only if the user can do something about them."""

    def __init__(self) -> None:
        super().__init__(SOURCE, __version__, notebook_document_sync=_NOTEBOOKS)
        self.client = Client()
        self.session = Session(self.publish)
        self._told: set[str] = set()
        self._crashes: dict[str, str] = {}

    def publish(self, checked: Checked) -> None:
        """Send the findings. A client that pulls requests them itself, except for the cells of a notebook."""
        self.tell(checked)
        if self.client.pulls and isinstance(checked.document, Script):
            if checked.among:
                self.refresh()
            return
        versions = _versions(checked.document)
        for uri, found in diagnostics(checked, self.client).items():
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, versions[uri]))

    def tell(self, checked: Checked) -> None:
        """Show what is wrong with the configuration, and log crashes of gradlint itself, each only once."""
        if checked.problem is not None:
            self.complain(checked.problem)
        uri = checked.document.uri
        if checked.crash is not None and self._crashes.get(uri) != checked.crash:
            self._crashes[uri] = checked.crash
            self.log(f"gradlint itself failed on {uri}:\n{checked.crash}")

    def complain(self, problem: str) -> None:
        """Show a message, but only once."""
        if problem not in self._told:
            self._told.add(problem)
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, one_line(f"gradlint: {problem}")))

    def log(self, message: str) -> None:
        """Write an error to the client's log."""
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, message))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log what pygls would show, because the user can do nothing about it."""
        self.log(f"{getattr(source, '__name__', source)}: {error}")

    def settle(self, value: object) -> None:
        """Apply the editor's settings."""
        settings, mistakes, strange = read_settings(value)
        for mistake in mistakes:
            self.complain(mistake)
        for each in strange:
            self.log(each)
        self.session.configure(settings)

    def check_all(self) -> None:
        """Check everything that is open."""
        for document in self.session.documents.all():
            self.session.check_again(document.uri)
        self.refresh()

    def refresh(self) -> None:
        """Make a client that pulls request the findings again."""
        if get_capability(self.client_capabilities, "workspace.diagnostics.refresh_support"):
            self.workspace_diagnostic_refresh(None)


def _versions(document: Document) -> dict[str, int | None]:
    if isinstance(document, Script):
        return {document.uri: document.version}
    return {cell.uri: cell.version for cell in document.cells}
