"""Identifies a finding over time: by its rule, its file and the code in question, not by its line or wording."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256

from gradlint.report.found import Report

_NEWLINE = re.compile(r"\r\n|\r|\n")


def fingerprints(found: Report) -> list[str]:
    """Return a fingerprint for each finding, in order, as 32 hexadecimal digits.

    A finding keeps its fingerprint if code above it is added or removed, or its line is indented differently. Identical findings
    in a file are counted, so that no two fingerprints are equal. A file that could not be read is identified by its error
    message.
    """
    rows = {place: _NEWLINE.split(text) for place, text in found.texts.items()}
    seen: Counter[tuple[str, str, str]] = Counter()
    result = []
    for each in found.diagnostics:
        source = rows.get((each.filename, each.cell), ())
        row = each.span.start.row
        code = " ".join(source[row - 1].split()) if row <= len(source) else ""
        identity = (each.code, found.path(each.filename), code or each.sentence)
        seen[identity] += 1
        text = "\0".join((*identity, str(seen[identity])))
        result.append(sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32])
    return result
