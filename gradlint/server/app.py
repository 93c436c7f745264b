"""The messages of the protocol, and the answer to each. https://microsoft.github.io/language-server-protocol/"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from gradlint import __version__
from gradlint.config.load import FILE_NAMES
from gradlint.report.lines import one_line
from gradlint.server.actions import KINDS, Asked, Choice, fix_all, quick_fixes
from gradlint.server.convert import SOURCE, Client, diagnostics, edit
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


def make() -> Server:
    """Create a server with all its handlers."""
    server = Server()
    _answer_lifecycle(server)
    _answer_scripts(server)
    _answer_notebooks(server)
    _answer_requests(server)
    return server


def serve() -> None:
    """Serve one client over stdin and stdout until it disconnects."""
    stdout = sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may be written between the messages
    make().start_io(sys.stdin.buffer, stdout)


def _answer_lifecycle(server: Server) -> None:
    session = server.session

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.client = Client.of(params.capabilities)
        session.documents.encoding = str(getattr(server.workspace.position_encoding, "value", server.workspace.position_encoding))
        server.settle(params.initialization_options)

    @server.feature(types.INITIALIZED)
    async def initialized(_: types.InitializedParams) -> None:
        session.warm_up()
        await _register(server)
        await _fetch_settings(server)

    @server.feature(types.SHUTDOWN)
    def shutdown(_: None) -> None:
        session.close()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        if not await _fetch_settings(server) and params.settings:
            server.settle(params.settings)
            server.check_all()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(_: types.DidChangeWatchedFilesParams) -> None:
        session.reconfigure()
        server.check_all()


async def _register(server: Server) -> None:
    wanted = _registrations(server.client_capabilities)
    if wanted:
        try:
            await server.client_register_capability_async(types.RegistrationParams(wanted))
        except JsonRpcException as error:
            server.log(f"the client accepts no registrations, so a changed configuration applies from the next edit: {error}")


def _registrations(capabilities: types.ClientCapabilities) -> list[types.Registration]:
    """Return what the client should report: changes of configuration files, and of its settings for gradlint."""
    wanted = []
    if get_capability(capabilities, "workspace.did_change_watched_files.dynamic_registration"):
        watchers = [types.FileSystemWatcher(f"**/{name}") for name in FILE_NAMES]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        wanted.append(types.Registration("gradlint-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))
    if get_capability(capabilities, "workspace.did_change_configuration.dynamic_registration"):
        section = types.DidChangeConfigurationRegistrationOptions(SOURCE)
        wanted.append(types.Registration("gradlint-settings", types.WORKSPACE_DID_CHANGE_CONFIGURATION, section))
    return wanted


async def _fetch_settings(server: Server) -> bool:
    """Request the client's settings. Return False if it has none, which keeps the initial ones."""
    if not get_capability(server.client_capabilities, "workspace.configuration"):
        return False
    items = [types.ConfigurationItem(section=SOURCE)]
    try:
        (found, *_) = await server.workspace_configuration_async(types.ConfigurationParams(items)) or [None]
    except JsonRpcException:
        return False
    if not found:
        return False
    server.settle(found)
    server.check_all()
    return True


def _answer_scripts(server: Server) -> None:
    session = server.session

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        session.documents.open(params.text_document)
        session.check_soon(params.text_document.uri, quiet=0)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        session.documents.change(params)
        session.check_soon(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def did_save(params: types.DidSaveTextDocumentParams) -> None:
        session.reconfigure()
        session.check_again(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        _closed(server, params.text_document.uri)


def _closed(server: Server, uri: str) -> None:
    document = server.session.documents.close(uri)
    server.session.forget(uri)
    if document is not None and not (server.client.pulls and isinstance(document, Script)):
        _clear(server, document.texts)


def _clear(server: Server, uris: Iterable[str]) -> None:
    for uri in uris:
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))


def _answer_notebooks(server: Server) -> None:
    session = server.session

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenNotebookDocumentParams) -> None:
        session.documents.open_notebook(params)
        session.check_soon(params.notebook_document.uri, quiet=0)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeNotebookDocumentParams) -> None:
        _clear(server, session.documents.change_notebook(params))
        session.check_soon(params.notebook_document.uri)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
    def did_save(params: types.DidSaveNotebookDocumentParams) -> None:
        session.reconfigure()
        session.check_again(params.notebook_document.uri)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseNotebookDocumentParams) -> None:
        _closed(server, params.notebook_document.uri)


def _answer_requests(server: Server) -> None:
    session = server.session
    pull = types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=False, identifier=SOURCE)

    @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, pull)
    async def pulled(params: types.DocumentDiagnosticParams) -> types.RelatedFullDocumentDiagnosticReport:
        checked = await session.checked(params.text_document.uri)
        if checked is None or not isinstance(checked.document, Script):
            return types.RelatedFullDocumentDiagnosticReport([])
        server.tell(checked)
        return types.RelatedFullDocumentDiagnosticReport(diagnostics(checked, server.client)[checked.document.uri])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(KINDS, resolve_provider=True))
    async def code_action(params: types.CodeActionParams) -> Sequence[types.CodeAction] | None:
        checked = await session.checked(params.text_document.uri)
        if checked is None:
            return None
        asked = Asked.of(params)
        actions = [*quick_fixes(asked, checked, server.client, server.session.documents), *fix_all(asked, checked)]
        if server.client.resolves:
            return actions
        return [action for action in [await _completed(each, server) for each in actions] if action.edit is not None]

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(action: types.CodeAction) -> types.CodeAction:
        return await _completed(action, server)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hovered(params: types.HoverParams) -> types.Hover | None:
        from gradlint.server.hover import hover

        checked = await session.checked(params.text_document.uri)
        return hover(checked, params.text_document.uri, params.position, server.client) if checked is not None else None


async def _completed(action: types.CodeAction, server: Server) -> types.CodeAction:
    """Return an action with its edit for the current text."""
    choice = Choice.of(action) if action.edit is None else None
    checked = await server.session.checked(choice.uri) if choice is not None else None
    if choice is None or checked is None:
        return action
    document, finding = checked.document, choice.finding(checked)
    if finding is not None:
        code = await server.session.silenced(document, finding)
    elif choice.ignore is None and checked.problem is None:
        code = await server.session.repaired(document)
    else:
        return action
    changes = document.rewritten(code)
    if changes:
        action.edit = edit(changes, server.client)
    return action
