"""Converts findings to the protocol's types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability

from gradlint.diagnostic import Diagnostic, Severity
from gradlint.report.lines import one_line
from gradlint.report.pages import page_url
from gradlint.server.documents import Document, Script
from gradlint.server.found import Checked

SOURCE = "gradlint"
_SEVERITY = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}


@dataclass(frozen=True)
class Client:
    """The capabilities of the client that change what it is sent."""

    related: bool = False
    data: bool = False
    pulls: bool = False
    resolves: bool = False
    document_changes: bool = False
    markdown: bool = False

    @staticmethod
    def of(capabilities: types.ClientCapabilities) -> Client:
        """Read the client's capabilities."""
        resolve = get_capability(capabilities, "text_document.code_action.resolve_support")
        return Client(
            related=bool(get_capability(capabilities, "text_document.publish_diagnostics.related_information"))
            or bool(get_capability(capabilities, "text_document.diagnostic.related_information")),
            data=bool(get_capability(capabilities, "text_document.publish_diagnostics.data_support"))
            or bool(get_capability(capabilities, "text_document.diagnostic.data_support")),
            pulls=get_capability(capabilities, "text_document.diagnostic") is not None,
            resolves=resolve is not None and "edit" in resolve.properties,
            document_changes=bool(get_capability(capabilities, "workspace.workspace_edit.document_changes")),
            markdown=types.MarkupKind.Markdown in (get_capability(capabilities, "text_document.hover.content_format") or ()),
        )


def diagnostics(checked: Checked, client: Client) -> dict[str, list[types.Diagnostic]]:
    """Return the diagnostics of each text of a document, which may be empty."""
    shown: dict[str, list[types.Diagnostic]] = {uri: [] for uri in checked.document.texts}
    for finding in checked.findings:
        location = checked.document.location(finding.span)
        if location is not None:
            shown[location.uri].append(diagnostic(finding, location, checked.document, client))
    return shown


def diagnostic(finding: Diagnostic, location: types.Location, document: Document, client: Client) -> types.Diagnostic:
    """Convert one finding at its place."""
    message = one_line(finding.sentence)
    return types.Diagnostic(
        location.range,
        f"{message}\n{one_line(finding.note)}" if finding.note else message,
        _SEVERITY[finding.severity],
        finding.code,
        types.CodeDescription(page_url(finding.code)),
        SOURCE,
        related_information=_related(finding, document) if client.related else None,
        data=_data(finding, document) if client.data else None,
    )


def edit(changes: list[types.TextDocumentEdit], client: Client) -> types.WorkspaceEdit:
    """Return edits for exactly these versions, or edits without versions if the client does not support versioned ones."""
    if client.document_changes:
        return types.WorkspaceEdit(document_changes=changes)
    return types.WorkspaceEdit(changes={each.text_document.uri: _plain(each) for each in changes})


def _plain(change: types.TextDocumentEdit) -> list[types.TextEdit]:
    return [each for each in change.edits if isinstance(each, types.TextEdit)]


def _related(finding: Diagnostic, document: Document) -> list[types.DiagnosticRelatedInformation]:
    places = ((document.location(each.span), each.message) for each in finding.related)
    return [types.DiagnosticRelatedInformation(place, one_line(message)) for place, message in places if place is not None]


def _data(finding: Diagnostic, document: Document) -> dict[str, Any]:
    """Return what a client needs to offer the fix itself.

    Fixes in a notebook may span cells, and others span files, so the client must request those.
    """
    fix = finding.fix
    data: dict[str, Any] = {"name": finding.name}
    if fix is not None:
        data["fix"] = {"title": fix.message, "applicability": fix.applicability.value}
        if isinstance(document, Script) and not fix.elsewhere:
            data["fix"]["edits"] = [
                {"range": _range(document.text.range(each.span)), "newText": each.content} for each in fix.edits
            ]
    return data


def _range(each: types.Range) -> dict[str, dict[str, int]]:
    """Return a range as plain data, because `data` is not converted any further."""
    return {
        "start": {"line": each.start.line, "character": each.start.character},
        "end": {"line": each.end.line, "character": each.end.character},
    }
