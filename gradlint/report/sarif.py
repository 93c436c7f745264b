"""SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gradlint.diagnostic import Applicability, Diagnostic, FileEdits, Severity, Span, TextEdit, TextFix
from gradlint.report.fingerprint import fingerprints
from gradlint.report.found import Report
from gradlint.report.lines import in_cell, one_line
from gradlint.report.machine import to_text
from gradlint.report.pages import HOME
from gradlint.report.paths import absolute, file_uri, relative, relative_uri
from gradlint.report.sarif_rules import descriptor

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
FINGERPRINT = "gradlint/v1"
"""The name of gradlint's fingerprint. The action that uploads the log computes GitHub's own, `primaryLocationLineHash`."""
LOOP_DESCRIPTORS: tuple[dict[str, Any], ...] = (
    {
        "id": "loop-verdict",
        "name": "LoopVerdict",
        "shortDescription": {"text": "Whether a training loop is verified, wrong or unknown."},
        "helpUri": f"{HOME}/blob/main/docs/show.md#the-verdict",
    },
)
"""The descriptor of notifications about loops."""
_ROOT = "%SRCROOT%"
_UNREAD = "GRD000"
_PLACEHOLDER = re.compile(r"\{(\d+)\}")

Object = dict[str, Any]


def sarif(found: Report) -> str:
    """Return the whole log, in ASCII."""
    return to_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [_Run(found).as_object()]})


class _Run:
    """One run of gradlint, with the rules that ran and their indices."""

    def __init__(self, found: Report) -> None:
        self.found = found
        codes = sorted({**dict(found.rules), **{each.code: each.name for each in found.diagnostics}}.items())
        self.rules = [descriptor(code, name) for code, name in codes]
        self.indices = {code: index for index, (code, _) in enumerate(codes)}

    def as_object(self) -> Object:
        return {
            "tool": {
                "driver": {
                    "name": "gradlint",
                    **_version(self.found.version),
                    "informationUri": HOME,
                    "rules": self.rules,
                    "notifications": list(LOOP_DESCRIPTORS),
                }
            },
            "automationDetails": {"id": "gradlint/"},
            "invocations": [
                {
                    "executionSuccessful": not self.found.failures,
                    "toolExecutionNotifications": [*self.notifications(), *self.loops()],
                },
            ],
            "originalUriBaseIds": {_ROOT: {"uri": file_uri(absolute(str(self.found.root)), folder=True)}},
            "columnKind": "unicodeCodePoints",
            "newlineSequences": ["\r\n", "\n", "\r"],
            "results": [
                self.result(each, mark) for each, mark in zip(self.found.diagnostics, fingerprints(self.found), strict=True)
            ],
        }

    def notifications(self) -> list[Object]:
        """Return notifications for files that were not checked. They warn a reader that the results are incomplete."""
        unread: list[Object] = [
            {
                "level": "error",
                "message": _message(each.sentence),
                "locations": [self.location(each)],
                "associatedRule": {"id": each.code, "index": self.indices[each.code]},
            }
            for each in self.found.diagnostics
            if each.code == _UNREAD
        ]
        crashed: list[Object] = [
            {
                "level": "error",
                "message": _message(f"gradlint itself failed on this file: {why}"),
                "locations": [{"physicalLocation": {"artifactLocation": self.artifact(filename)}}],
            }
            for filename, why in self.found.failures
        ]
        return unread + crashed

    def loops(self) -> Iterator[Object]:
        """Yield the verdict on each training loop."""
        for each in self.found.loops:
            first, last = each.line, each.last_line
            if each.cell is not None:
                first = self.found.notebook_line(each.filename, each.cell, first)
                last = max(first, self.found.notebook_line(each.filename, each.cell, last))
            region = {"startLine": first, "endLine": last}
            yield {
                "descriptor": {"id": LOOP_DESCRIPTORS[0]["id"], "index": 0},
                "level": "note" if each.answer == "unknown" else "none",
                "message": _message(f"This training loop is {each.words}."),
                "locations": [{"physicalLocation": {"artifactLocation": self.artifact(each.filename), "region": region}}],
                "properties": {"verdict": each.answer, "rules": list(each.codes), "silenced": each.silenced},
            }

    def result(self, each: Diagnostic, fingerprint: str) -> Object:
        note = f"\n{each.note}" if each.note else ""
        text = _message(f"{in_cell(each)}{one_line(each.sentence)}{note}")["text"]
        links = ", ".join(_link(related.message, number) for number, related in enumerate(each.related, 1))
        result: Object = {
            "ruleId": each.code,
            "ruleIndex": self.indices[each.code],
            "level": LEVELS[each.severity],
            "message": {"text": f"{text}\nSee also: {links}." if links else text},
            "locations": [self.location(each)],
            "partialFingerprints": {FINGERPRINT: fingerprint},
        }
        if each.related:
            result["relatedLocations"] = [
                {"id": number, "physicalLocation": self.place(each, related.span), "message": _message(related.message)}
                for number, related in enumerate(each.related, 1)
            ]
        if each.fix is not None and (each.fix.edits or each.fix.elsewhere) and each.cell is None:
            result["fixes"] = [self.fix(each, each.fix)]
        return result

    def location(self, each: Diagnostic) -> Object:
        location: Object = {"physicalLocation": self.place(each, each.span)}
        if each.cell is not None:
            location["logicalLocations"] = [{"name": f"cell {each.cell}", "kind": "cell"}]
        return location

    def place(self, each: Diagnostic, span: Span) -> Object:
        """Return a place in a file.

        In a notebook it covers whole lines of the JSON, because columns of the code mean nothing there.
        """
        if each.cell is None:
            return {"artifactLocation": self.artifact(each.filename), "region": _region(span)}
        lines = {"startLine": self.found.line(each, span.start.row), "endLine": self.found.line(each, span.end.row)}
        return {"artifactLocation": self.artifact(each.filename), "region": lines}

    def artifact(self, filename: str) -> Object:
        below = relative(filename, self.found.root)
        if below is None:
            return {"uri": file_uri(absolute(filename))}
        return {"uri": relative_uri(below), "uriBaseId": _ROOT}

    def fix(self, each: Diagnostic, fix: TextFix) -> Object:
        unsafe = " (unsafe fix)" if fix.applicability is Applicability.UNSAFE else ""
        return {
            "description": _message(f"{fix.message}{unsafe}"),
            "artifactChanges": [
                {"artifactLocation": self.artifact(part.filename), "replacements": _replacements(part.edits)}
                for part in (FileEdits(each.filename, fix.edits), *fix.elsewhere)
                if part.edits
            ],
            "properties": {"applicability": fix.applicability.value},
        }


def _version(version: str) -> Object:
    """Return a version of PEP 440, and also as a semantic version (3.19.12) if it is one."""
    semantic = {"semanticVersion": version} if re.fullmatch(r"\d+\.\d+\.\d+", version) else {}
    return {"version": version, **semantic} if version else {}


def _replacements(edits: Sequence[TextEdit]) -> Sequence[Object]:
    return [
        {"deletedRegion": _region(edit.span), **({"insertedContent": {"text": edit.content}} if edit.content else {})}
        for edit in edits
    ]


def _region(span: Span) -> Object:
    start, end = span.start, span.end
    return {"startLine": start.row, "startColumn": start.column, "endLine": end.row, "endColumn": end.column}


def _link(text: str, number: int) -> str:
    """Return an embedded link (3.11.6) to a related place."""
    label = re.sub(r"([\\\[\]])", r"\\\1", _PLACEHOLDER.sub(r"{{\1}}", one_line(text)))
    return f"[{label}]({number})"


def _message(text: str) -> Object:
    """Return a plain text message, in which code is read neither as an embedded link (3.11.6) nor as a placeholder (3.11.5)."""
    lines = "\n".join(one_line(line) for line in text.split("\n"))
    return {"text": _PLACEHOLDER.sub(r"{{\1}}", lines.replace("](", "] ("))}
