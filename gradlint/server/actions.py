"""Code actions: a fix for each finding, a comment that silences it, and all fixes at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lsprotocol import types

from gradlint.config.selection import ALWAYS_ON
from gradlint.diagnostic import Applicability, Diagnostic
from gradlint.server.convert import Client, diagnostic, edit
from gradlint.server.documents import Document, Documents, Script
from gradlint.server.elsewhere import changes_elsewhere
from gradlint.server.found import Checked
from gradlint.suppression.comments import UNUSED

FIX_ALL = "source.fixAll.gradlint"
FIX_NOTEBOOK = "notebook.source.fixAll.gradlint"
KINDS = (types.CodeActionKind.QuickFix.value, FIX_ALL, FIX_NOTEBOOK)


@dataclass(frozen=True)
class Asked:
    """A client's request: a range of one of the texts, and the kinds that it accepts (None for all)."""

    uri: str
    range: types.Range
    only: tuple[str, ...] | None
    shown: tuple[types.Diagnostic, ...]

    @staticmethod
    def of(params: types.CodeActionParams) -> Asked:
        only = params.context.only
        kinds = tuple(each.value if isinstance(each, types.CodeActionKind) else each for each in only) if only else None
        return Asked(params.text_document.uri, params.range, kinds, tuple(params.context.diagnostics))

    def takes(self, kind: str) -> bool:
        """Whether a kind is wanted. `source` includes `source.fixAll.gradlint`."""
        return self.only is None or any(kind == each or kind.startswith(f"{each}.") for each in self.only)


def quick_fixes(asked: Asked, checked: Checked, client: Client, documents: Documents) -> Iterator[types.CodeAction]:
    """Yield the fixes of the findings in the range, and then the comments that silence them."""
    if not asked.takes(types.CodeActionKind.QuickFix.value):
        return
    here = list(_within(asked, checked, client))
    for finding, shown in here:
        action = _fix(finding, shown, checked, client, documents)
        if action is not None:
            yield action
    for finding, shown in here:
        if finding.code not in (ALWAYS_ON, UNUSED[0]):
            yield _ignore(finding, shown, checked.document)


def _ignore(finding: Diagnostic, shown: types.Diagnostic, document: Document) -> types.CodeAction:
    """Return the action that silences a finding with a comment.

    As with all fixes at once, the edit is made when the user chooses it.
    """
    return types.CodeAction(
        f"Ignore {finding.code} on this line",
        types.CodeActionKind.QuickFix,
        [shown],
        is_preferred=False,
        data={"uri": document.uri, "ignore": _key(finding)},
    )


def _key(finding: Diagnostic) -> list[str | int]:
    return [finding.code, finding.span.start.row, finding.span.start.column]


@dataclass(frozen=True)
class Choice:
    """What an action without an edit is for: all fixes of a document, or the comment that silences one finding."""

    uri: str
    ignore: Sequence[object] | None = None

    @staticmethod
    def of(action: types.CodeAction) -> Choice | None:
        """Read the choice from the data of the action, or return None if the action is not one of gradlint's."""
        data = action.data
        if not isinstance(data, dict) or not isinstance(data.get("uri"), str):
            return None
        return Choice(data["uri"], data.get("ignore"))

    def finding(self, checked: Checked) -> Diagnostic | None:
        """Return the finding to silence, if it is still there."""
        return next((each for each in checked.findings if _key(each) == list(self.ignore or ())), None)


def fix_all(asked: Asked, checked: Checked) -> Iterator[types.CodeAction]:
    """Yield the action for all fixes at once. Its edit is costly, so it is made only when the user chooses the action.

    Notebooks have a separate kind. An editor requests `source.fixAll` for every cell, and each request would rewrite all cells.
    """
    kind = FIX_ALL if isinstance(checked.document, Script) else FIX_NOTEBOOK
    if asked.takes(kind) and any(_admitted(each, unsafe=checked.unsafe) for each in checked.findings):
        title = "gradlint: apply all fixes, unsafe ones too" if checked.unsafe else "gradlint: apply all safe fixes"
        yield types.CodeAction(title, kind, data={"uri": checked.document.uri})


def _admitted(finding: Diagnostic, *, unsafe: bool) -> bool:
    return finding.fix is not None and not finding.fix.elsewhere and (unsafe or finding.fix.applicability is Applicability.SAFE)


def _within(asked: Asked, checked: Checked, client: Client) -> Iterator[tuple[Diagnostic, types.Diagnostic]]:
    """Yield the findings on the lines of the range, wherever in them, each with the diagnostic that the client has."""
    for finding in checked.findings:
        location = checked.document.location(finding.span)
        if location is None or location.uri != asked.uri or not _share_a_line(location.range, asked.range):
            continue
        known: Sequence[types.Diagnostic] = [
            each for each in asked.shown if each.code == finding.code and each.range == location.range
        ]
        yield finding, known[0] if known else diagnostic(finding, location, checked.document, client)


def _share_a_line(one: types.Range, other: types.Range) -> bool:
    return one.start.line <= _last_line(other) and other.start.line <= _last_line(one)


def _last_line(each: types.Range) -> int:
    """Return the last line of a range. Whole lines are selected up to the start of the line below them, which is not meant."""
    return each.end.line - 1 if each.end.character == 0 and each.end.line > each.start.line else each.end.line


def _fix(
    finding: Diagnostic, shown: types.Diagnostic, checked: Checked, client: Client, documents: Documents
) -> types.CodeAction | None:
    fix = finding.fix
    others = changes_elsewhere(fix, checked.texts, documents) if fix is not None else None
    if fix is None or others is None:
        return None
    changes = [*checked.document.repaired(fix.edits), *others]
    if not changes:
        return None
    safe = fix.applicability is Applicability.SAFE
    return types.CodeAction(
        f"{fix.message} ({finding.code}{'' if safe else ', unsafe'})",
        types.CodeActionKind.QuickFix,
        [shown],
        is_preferred=safe,
        edit=edit(changes, client),
    )
