"""The messages about the connection and about texts, and the answer to each.

https://microsoft.github.io/language-server-protocol/
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException

from gradlint.config.load import FILE_NAMES
from gradlint.server.commands import answer_commands
from gradlint.server.convert import SOURCE, Client
from gradlint.server.documents import Script
from gradlint.server.requests import answer_requests
from gradlint.server.server import Server
from gradlint.server.shown import answer_what_is_shown
from gradlint.server.workspace import answer_workspace

SCRIPT = ".py"


def make() -> Server:
    """Create a server with all its handlers."""
    server = Server()
    _answer_lifecycle(server)
    _answer_scripts(server)
    _answer_notebooks(server)
    answer_requests(server)
    answer_commands(server)
    answer_what_is_shown(server)
    answer_workspace(server)
    return server


def serve() -> None:
    """Serve one client over stdin and stdout until it disconnects, and end the process."""
    stdout = sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may be written between the messages
    logging.getLogger("pygls").setLevel(logging.ERROR)  # editors show stderr, and cancelled requests are no mistake
    make().start_io(sys.stdin.buffer, stdout)
    _end(0)


def _end(status: int) -> None:
    """End the process at once. Python would first wait for the checks that still run."""
    sys.stderr.flush()
    os._exit(status)


def _answer_lifecycle(server: Server) -> None:
    session = server.session
    closed: list[bool] = []

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
        closed.append(True)

    @server.feature(types.EXIT)
    def exit_(_: None) -> None:
        _end(0 if closed else 1)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        if not await _fetch_settings(server) and params.settings:
            server.settle(params.settings)
            server.check_all()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(params: types.DidChangeWatchedFilesParams) -> None:
        if all(each.uri.endswith(SCRIPT) for each in params.changes):
            session.touch()
            return
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
        watchers = [types.FileSystemWatcher(f"**/{name}") for name in (*FILE_NAMES, f"*{SCRIPT}")]
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
