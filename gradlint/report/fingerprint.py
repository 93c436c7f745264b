"""What identifies a finding over time: neither its line nor its wording, but the rule, the file, and the code found wrong."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256

from gradlint.report.found import Report

_NEWLINE = re.compile(r"\r\n|\r|\n")


def fingerprints(found: Report) -> list[str]:
    """One for each finding, in their order, as 32 hexadecimal digits.

    A finding keeps its own when code above it comes or goes and when its line is indented anew. Findings that look the same
    in a file are counted, so that no two have the same. A file that could not be read is known by what was said of it.
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
