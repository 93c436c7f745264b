"""What the fixes change, as a unified diff that `patch` and `git apply` take."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from gradlint.report.lines import printable, safe

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def diff(filename: str, before: str, after: str) -> Iterator[str]:
    """The lines of the diff, without their newlines."""
    name = safe(filename)
    for line in difflib.unified_diff(_LINE.findall(before), _LINE.findall(after), name, name):
        yield printable(line.rstrip("\r\n")) + ("\r" if line.endswith("\r\n") else "")
        if not line.endswith(("\n", "\r")):
            yield "\\ No newline at end of file"
