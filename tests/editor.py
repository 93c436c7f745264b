"""An editor for tests of the language server: pytest-lsp's client with texts, which applies edits by its own arithmetic."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from lsprotocol import types
from pygls.protocol import default_converter
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

PATIENCE = 60
"""Seconds until an answer that does not come is a failure."""
_UNITS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


class Client(LanguageClient):
    """A client that keeps everything it was told, in order."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.published: list[types.PublishDiagnosticsParams] = []
        self.registered: list[str] = []
        self.news = asyncio.Event()


def published(client: Client, params: types.PublishDiagnosticsParams) -> None:
    client.published.append(params)
    client.news.set()


def registered(client: Client, params: types.RegistrationParams) -> None:
    client.registered.extend(each.method for each in params.registrations)
    client.news.set()


def logged(client: Client, params: types.LogMessageParams) -> None:
    client.log_messages.append(params)
    client.news.set()


def shown(client: Client, params: types.ShowMessageParams) -> None:
    client.messages.append(params)
    client.news.set()


def make_client() -> Client:
    client = Client(converter_factory=default_converter)
    own = {
        types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS: published,
        types.CLIENT_REGISTER_CAPABILITY: registered,
        types.WINDOW_LOG_MESSAGE: logged,
        types.WINDOW_SHOW_MESSAGE: shown,
    }
    register_lsp_features(client, {**DEFAULT_CLIENT_FEATURES, **own})
    return client


CONFIG = ClientServerConfig([sys.executable, "-m", "gradlint", "server", "--stdio"], make_client)


def capabilities(
    *, pull: bool = False, encodings: Sequence[str] = (), versions: bool = True, resolve: bool = True
) -> types.ClientCapabilities:
    """What VS Code can do, less or more."""
    found = client_capabilities("visual-studio-code")
    assert found.text_document is not None and found.workspace is not None and found.workspace.workspace_edit is not None
    found.text_document.diagnostic = types.DiagnosticClientCapabilities() if pull else None
    if encodings:
        found.general = types.GeneralClientCapabilities(position_encodings=list(encodings))
    if not versions:
        found.workspace.workspace_edit.document_changes = False
    if not resolve and found.text_document.code_action is not None:
        found.text_document.code_action.resolve_support = None
    return found


@dataclass
class Editor:
    """The texts of one session with a server."""

    client: Client
    encoding: str = "utf-16"
    texts: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    async def open(self, uri: str, text: str) -> Sequence[types.Diagnostic]:
        self.texts[uri], self.versions[uri] = text, 1
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 1, text)))
        return await self.diagnostics(uri)

    async def type(self, uri: str, text: str) -> Sequence[types.Diagnostic]:
        """The whole text anew."""
        self.send(uri, text)
        return await self.diagnostics(uri)

    def send(self, uri: str, text: str, *changes: types.TextDocumentContentChangeEvent) -> None:
        """A new text, told in changes; by default as a whole."""
        self.texts[uri] = text
        self.versions[uri] += 1
        document = types.VersionedTextDocumentIdentifier(uri=uri, version=self.versions[uri])
        whole = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, list(changes or (whole,))))

    async def diagnostics(self, uri: str, *, after: int = 0) -> Sequence[types.Diagnostic]:
        """What is published of the current version, among what came after so many messages."""

        def of_now() -> Sequence[types.Diagnostic] | None:
            of = [each for each in self.client.published[after:] if each.uri == uri and each.version == self.versions.get(uri)]
            return of[-1].diagnostics if of else None

        return await self.until(of_now)

    async def pull(self, uri: str) -> Sequence[types.Diagnostic]:
        """What the server answers when it is asked."""
        params = types.DocumentDiagnosticParams(types.TextDocumentIdentifier(uri))
        report = await asyncio.wait_for(self.client.text_document_diagnostic_async(params), PATIENCE)
        assert isinstance(report, types.RelatedFullDocumentDiagnosticReport)
        return report.items

    async def until(self, holds: Any) -> Any:
        """What a function gives as soon as it is not None."""

        async def wait() -> Any:
            while (value := holds()) is None:
                self.client.news.clear()
                await self.client.news.wait()
            return value

        return await asyncio.wait_for(wait(), PATIENCE)

    async def actions(
        self, uri: str, line: int | None = None, only: Sequence[str] | None = None, context: Sequence[types.Diagnostic] = ()
    ) -> list[types.CodeAction]:
        """The actions on a line, or on all lines."""
        first, last = (0, 10**6) if line is None else (line, line)
        place = types.Range(types.Position(first, 0), types.Position(last, 10**6 if line is None else 200))
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(uri), place, types.CodeActionContext(list(context), only=list(only) if only else None)
        )
        found = await asyncio.wait_for(self.client.text_document_code_action_async(params), PATIENCE)
        return [each for each in found or () if isinstance(each, types.CodeAction)]

    async def chosen(self, action: types.CodeAction) -> dict[str, str]:
        """The texts after an action, without telling the server."""
        if action.edit is None:
            action = await asyncio.wait_for(self.client.code_action_resolve_async(action), PATIENCE)
        assert action.edit is not None
        texts = dict(self.texts)
        for change in action.edit.document_changes or ():
            assert isinstance(change, types.TextDocumentEdit)
            assert change.text_document.version == self.versions[change.text_document.uri]
            texts[change.text_document.uri] = self.edited(texts[change.text_document.uri], change.edits)
        for uri, edits in (action.edit.changes or {}).items():
            texts[uri] = self.edited(texts[uri], edits)
        return texts

    def edited(self, text: str, edits: Sequence[Any]) -> str:
        """A text after edits, whose ranges must not overlap."""
        places = sorted((self.offset(text, e.range.start), self.offset(text, e.range.end), e.new_text) for e in edits)
        assert all(one[1] <= other[0] for one, other in pairwise(places)), "edits overlap"
        for start, end, new in reversed(places):
            text = text[:start] + new + text[end:]
        return text

    def offset(self, text: str, position: types.Position) -> int:
        """A position as an offset, which must not lie in the middle of a character."""
        starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
        codec, size = _UNITS[self.encoding]
        line = text[starts[position.line] :].encode(codec)
        return starts[position.line] + len(line[: position.character * size].decode(codec))

    def marked(self, uri: str, place: types.Range) -> str:
        """The text of a range."""
        text = self.texts[uri]
        return text[self.offset(text, place.start) : self.offset(text, place.end)]

    async def hover(self, uri: str, line: int, character: int) -> str | None:
        params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(line, character))
        found = await asyncio.wait_for(self.client.text_document_hover_async(params), PATIENCE)
        return found.contents.value if found is not None and isinstance(found.contents, types.MarkupContent) else None


@asynccontextmanager
async def connected(
    client: types.ClientCapabilities | None = None,
    *,
    options: object = None,
    settings: dict[str, Any] | None = None,
    config: ClientServerConfig = CONFIG,
    root: str = "file:///nowhere",
) -> AsyncIterator[Editor]:
    """A session of its own."""
    started = await config.start()
    assert isinstance(started, Client)
    for key, value in (settings or {}).items():
        started.set_configuration(value, section=key)
    answer = await begin(started, client or capabilities(), options, root)
    encoding = answer.capabilities.position_encoding
    try:
        yield Editor(started, str(getattr(encoding, "value", encoding)))
        await asyncio.wait_for(started.shutdown_session(), PATIENCE)
    finally:
        await started.stop()  # type: ignore[no-untyped-call]


async def begin(
    client: Client, able: types.ClientCapabilities, options: object = None, root: str = "file:///nowhere"
) -> types.InitializeResult:
    params = types.InitializeParams(able, root_uri=root, initialization_options=options)
    return await asyncio.wait_for(client.initialize_session(params), PATIENCE)
