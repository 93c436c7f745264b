"""JUnit's XML, which Jenkins, GitLab and others show as tests: one suite per file, one failed case per finding.

It is valid under the schema of Jenkins' xUnit plugin, the strictest of its readers:
https://github.com/jenkinsci/xunit-plugin/tree/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd.

`safe` also replaces the characters that XML cannot contain even if escaped (https://www.w3.org/TR/xml/#charsets).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePosixPath

from gradlint.diagnostic import Diagnostic
from gradlint.report.found import Report
from gradlint.report.lines import in_cell, named, one_line, safe

_BROKEN = "GRD000"


def junit(found: Report) -> str:
    """Return the whole document, in ASCII. Without findings, it has one case that passes."""
    root = ET.Element("testsuites", name="gradlint")
    for filename, group in groupby(found.diagnostics, lambda each: each.filename):
        _suite(root, found.path(filename), tuple(group), found)
    for filename, why in found.failures:
        path = safe(found.path(filename))
        suite = ET.SubElement(root, "testsuite", name=path, tests="1", failures="0", errors="1", skipped="0", file=path)
        _case(suite, "gradlint", path, "error", "crash", f"gradlint itself failed on this file: {one_line(why)}", ())
    if not len(root):
        suite = ET.SubElement(root, "testsuite", name="gradlint", tests="1", failures="0", errors="0", skipped="0")
        ET.SubElement(suite, "testcase", name="No errors found", classname="gradlint", time="0")
    for sum_of in ("tests", "failures", "errors"):
        root.set(sum_of, str(sum(int(suite.get(sum_of, "0")) for suite in root)))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="us-ascii")
    text = document.decode("ascii")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text.replace("##[", "##&#91;")  # keeps workflow commands out of logs


def _suite(root: ET.Element, path: str, findings: Sequence[Diagnostic], found: Report) -> None:
    errors = sum(each.code == _BROKEN for each in findings)
    counts = {"tests": len(findings), "failures": len(findings) - errors, "errors": errors, "skipped": 0}
    name = safe(path)
    suite = ET.SubElement(root, "testsuite", {"name": name, "file": name, **{key: str(value) for key, value in counts.items()}})
    for each in findings:
        place = f"{found.line(each, each.span.start.row)}:{each.span.start.column}" if each.cell is None else in_cell(each)[:-2]
        kind = "error" if each.code == _BROKEN else "failure"
        message = f"{in_cell(each)}{one_line(each.sentence)}"
        _case(suite, f"{each.code} {each.name} ({place})", path, kind, each.code, message, _body(each, found))


def _case(
    suite: ET.Element, name: str, path: str, kind: str, code: str, message: str, body: Sequence[str] | Iterator[str]
) -> None:
    classname = ".".join(PurePosixPath(path).with_suffix("").parts).lstrip("/.")  # readers fold packages at the dots
    case = ET.SubElement(suite, "testcase", name=safe(name), classname=safe(classname), time="0")
    outcome = ET.SubElement(case, kind, type=code, message=safe(message))
    outcome.text = "\n".join(body)


def _body(each: Diagnostic, found: Report) -> Iterator[str]:
    path = named(found.path(each.filename))
    cell = f"cell {each.cell}:" if each.cell is not None else ""
    start = each.span.start
    yield f"{path}:{cell}{start.row}:{start.column}: {each.severity.value}: {one_line(each.sentence)}"
    for related in each.related:
        yield f"{path}:{cell}{related.span.start.row}:{related.span.start.column}: {one_line(related.message)}"
    if each.fix is not None:
        yield f"help: {one_line(each.fix.message)} ({each.fix.applicability.value} fix)"
    if each.note:
        yield f"note: {one_line(each.note)}"
