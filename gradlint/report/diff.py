"""Writes fixes as a unified diff that `git apply` and `patch -p1` accept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from gradlint.report.lines import disarmed, printable, safe
from gradlint.report.paths import absolute, relative

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def diff(filename: str, before: str, after: str) -> Iterator[str]:
    """Yield the lines of the diff, without their newlines."""
    name = safe(relative(filename, Path()) or absolute(filename)).lstrip("/")
    end = "\t" if " " in name else ""  # as git writes it, because it reads a name only up to its first blank otherwise
    for line in difflib.unified_diff(_LINE.findall(before), _LINE.findall(after), f"a/{name}{end}", f"b/{name}{end}"):
        shown = printable(line.rstrip("\r\n"), keep="\t\u2028\u2029")  # `patch` needs these characters to find the place
        yield disarmed(shown) + ("\r" if line.endswith("\r\n") else "")
        if not line.endswith(("\n", "\r")):
            yield "\\ No newline at end of file"
