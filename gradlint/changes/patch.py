"""Reads which lines a patch of `git diff --unified=0` changes, in the new version of each file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gradlint.changes.lines import ALL, Lines

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.S)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_UNMERGED = b"* Unmerged path "


def changed_lines(patch: bytes) -> Mapping[bytes, Lines]:
    """Return the changed lines of each file that still exists, by its name as git prints it, without quotes.

    The lines of a hunk are counted and skipped, because they can look like the head of another file.
    """
    found: dict[bytes, list[tuple[int, int]]] = {}
    whole: list[bytes] = []
    ranges: list[tuple[int, int]] = []
    left = 0
    for line in patch.split(b"\n"):
        if left and line[:1] in (b"+", b"-"):
            left -= 1
        elif line.startswith(b"+++ "):
            name = _unquoted(line[len(b"+++ ") :])
            ranges = found.setdefault(name[len(b"b/") :], []) if name.startswith(b"b/") else []
        elif line.startswith(_UNMERGED):
            whole.append(_unquoted(line[len(_UNMERGED) :]))
        elif hunk := _HUNK.match(line):
            removed, first, added = (1 if each is None else int(each) for each in hunk.groups())
            ranges.append((first, first + added - 1) if added else (first, first + 1))
            left = removed + added
    return {**{name: Lines(tuple(each)) for name, each in found.items()}, **dict.fromkeys(whole, ALL)}


def _unquoted(name: bytes) -> bytes:
    """Return a name from the head of a patch: quoted like a string of C, or with a tab after a name that contains a space."""
    if not (name.startswith(b'"') and name.endswith(b'"')):
        return name.removesuffix(b"\t")
    return _ESCAPE.sub(lambda match: _byte(match.group(1)), name[1:-1])


def _byte(escape: bytes) -> bytes:
    return bytes([int(escape, 8) & 0xFF]) if len(escape) == 3 else _LETTERS.get(escape, escape)
