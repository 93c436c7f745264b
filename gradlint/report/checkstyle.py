"""Checkstyle's XML, which many tools read: https://checkstyle.org/result_reports.html.

`safe` also replaces the characters that XML cannot contain even if escaped.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import groupby

from gradlint.diagnostic import Diagnostic
from gradlint.report.found import Report
from gradlint.report.lines import in_cell, one_line, safe

_VERSION = "4.3"
"""The version of the format that its readers expect."""


def checkstyle(found: Report) -> str:
    """Return the whole document, in ASCII. Without findings, it has no files."""
    root = ET.Element("checkstyle", version=_VERSION)
    for filename, group in groupby(found.diagnostics, lambda each: each.filename):
        file = ET.SubElement(root, "file", name=safe(found.path(filename)))
        for each in group:
            ET.SubElement(file, "error", _attributes(each, found))
    for filename, why in found.failures:
        file = ET.SubElement(root, "file", name=safe(found.path(filename)))
        message = f"gradlint itself failed on this file: {one_line(why)}"
        ET.SubElement(file, "error", line="1", severity="error", message=message, source="gradlint")
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="us-ascii")
    text = document.decode("ascii")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text.replace("##[", "##&#91;")  # keeps workflow commands out of logs


def _attributes(each: Diagnostic, found: Report) -> dict[str, str]:
    column = {"column": str(each.span.start.column)} if each.cell is None else {}
    return {
        "line": str(found.line(each, each.span.start.row)),
        **column,
        "severity": each.severity.value,
        "message": f"{in_cell(each)}{one_line(each.sentence)}",
        "source": f"gradlint.{each.code}",
    }
