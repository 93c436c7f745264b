"""The answers to what an editor requests about a text: its diagnostics, code actions, and what to show at a position."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from gradlint.server.actions import KINDS, Asked, Choice, fix_all, quick_fixes
from gradlint.server.convert import SOURCE, diagnostics, edit
from gradlint.server.documents import Script
from gradlint.server.server import Server


def answer_requests(server: Server) -> None:
    """Answer requests for diagnostics, code actions and hovers."""
    session = server.session
    pull = types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=True, identifier=SOURCE)

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
        actions = [*quick_fixes(asked, checked, server.client, session.documents), *fix_all(asked, checked)]
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
