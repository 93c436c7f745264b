"""The findings of a whole workspace, for a client that requests them.

A client that has the current answer waits for the next one until something changes, as the protocol suggests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from lsprotocol import types

from gradlint.config.load import ConfigError
from gradlint.server.convert import diagnostics
from gradlint.server.documents import Script, path_of
from gradlint.server.found import Superseded
from gradlint.server.progress import told
from gradlint.server.server import Server
from gradlint.server.text import Text

Report = types.WorkspaceFullDocumentDiagnosticReport | types.WorkspaceUnchangedDocumentDiagnosticReport
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class _Known:
    """What was found in a file, as long as the file and the modules it was judged with stay as they are."""

    generation: int
    stamp: Stamp
    followed: frozenset[str]
    id: str
    items: tuple[types.Diagnostic, ...]


@dataclass
class _Workspace:
    """What the client was told so far."""

    server: Server
    known: dict[str, _Known] = field(default_factory=dict)
    answered: int | None = None
    ids: Iterator[int] = field(default_factory=count)

    async def reports(self, params: types.WorkspaceDiagnosticParams) -> list[Report]:
        """Return the reports that the client does not have yet, as soon as there are any. Raises Superseded."""
        session = self.server.session
        if params.previous_result_ids and self.answered == session.generation:
            await session.change_after(session.generation)
        generation = session.generation
        had = {each.uri: each.value for each in params.previous_result_ids}
        reports: list[Report] = []
        found = await session.files(self._roots())
        async with told(self.server, "gradlint: checking the workspace", params.work_done_token) as work:
            for number, path in enumerate(found):
                uri = path.as_uri()
                known = await self._of(path, uri, generation)
                reports.extend(_report(uri, known, had.pop(uri, None)))
                work.done(number + 1, len(found))
        reports.extend(types.WorkspaceFullDocumentDiagnosticReport(uri, []) for uri in had)
        self.answered = generation
        return reports

    def _roots(self) -> list[Path]:
        workspace = self.server.workspace
        uris = [*workspace.folders] or [uri for uri in [workspace.root_uri] if uri]
        return [path for uri in uris if (path := path_of(uri)) is not None]

    async def _of(self, path: Path, uri: str, generation: int) -> _Known:
        known = self.known.get(uri)
        settings = self.server.session.settings_generation
        if known is not None and known.generation == settings and known.stamp == _stamp(path, known.followed):
            return known
        stamp = _stamp(path, ())
        text = await self.server.session.text_on_disk(path)
        if text is None:
            return _Known(settings, stamp, frozenset(), str(next(self.ids)), ())
        document = Script(uri, None, Text(text, self.server.session.documents.encoding))

        def go_on() -> None:
            if self.server.session.generation != generation:
                raise Superseded

        checked = await self.server.session.checked_on_disk(document, go_on)
        self.server.tell(checked)
        items = tuple(diagnostics(checked, self.server.client)[uri])
        self.known[uri] = _Known(settings, _stamp(path, checked.followed), checked.followed, str(next(self.ids)), items)
        return self.known[uri]


def answer_workspace(server: Server) -> None:
    """Answer requests for the diagnostics of all files."""
    workspace = _Workspace(server)

    @server.feature(types.WORKSPACE_DIAGNOSTIC)
    async def pulled(params: types.WorkspaceDiagnosticParams) -> types.WorkspaceDiagnosticReport:
        while True:
            try:
                return types.WorkspaceDiagnosticReport(await workspace.reports(params))
            except Superseded:
                continue
            except ConfigError as error:
                server.complain(str(error))
                return types.WorkspaceDiagnosticReport([])


def _report(uri: str, known: _Known, had: str | None) -> Iterator[Report]:
    """Yield what to say about a file: nothing if nothing is found and the client had nothing."""
    if had == known.id:
        yield types.WorkspaceUnchangedDocumentDiagnosticReport(uri, known.id)
    elif known.items or had is not None:
        yield types.WorkspaceFullDocumentDiagnosticReport(uri, list(known.items), result_id=known.id)


def _stamp(path: Path, followed: frozenset[str] | tuple[str, ...]) -> Stamp:
    """Return what changes with a file, and with the modules that it was judged with."""
    found = []
    for each in (str(path), *sorted(followed)):
        try:
            state = Path(each).stat()
        except OSError:
            continue
        found.append((each, state.st_mtime_ns, state.st_size))
    return tuple(found)
