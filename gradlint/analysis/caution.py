"""A fix as far as it may be applied unattended: what it writes into a function that others call is not for them alone to judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.diagnostic import Applicability
from gradlint.edits import AddImport, Cut, Edit, Enclose, Insert, Move, Replace, Wrap
from gradlint.finding import Finding
from gradlint.model.bystanders import shared_with
from gradlint.model.types import TrainingLoop


def careful(finding: Finding, loops: Sequence[TrainingLoop]) -> Finding:
    """The finding without its fix, or with one that is not safe, where that reaches a caller that it was not meant for."""
    fix = finding.fix
    if fix is None:
        return finding
    for loop in loops:
        for edit in fix.edits:
            function = next((f for node in _touched(edit) if (f := shared_with(node, loop)) is not None), None)
            if function is None:
                continue
            name = function.node.name.value
            others = f"`{name}` is called in more than one place, and the fix would serve all of them"
            if all(isinstance(each, (Replace, Enclose, AddImport)) for each in fix.edits):
                return replace(finding, fix=None, note=f"no fix is offered: {others}")
            note = finding.note or f"the fix is not safe: {others}"
            return replace(finding, fix=replace(fix, applicability=Applicability.UNSAFE), note=note)
    return finding


def _touched(edit: Edit) -> Iterator[cst.CSTNode]:
    """The nodes at which an edit writes."""
    if isinstance(edit, (Replace, Enclose)):
        yield edit.node
    elif isinstance(edit, Insert):
        yield edit.anchor
    elif isinstance(edit, Move):
        yield from (edit.statement, edit.anchor)
    elif isinstance(edit, Wrap):
        yield edit.first
    elif isinstance(edit, Cut):
        yield edit.last
    elif not isinstance(edit, AddImport):
        yield edit.statement
