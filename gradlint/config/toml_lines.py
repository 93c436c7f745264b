"""Finds the line of a key in a TOML text, which `tomllib` does not report. Used only after a mistake is found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gradlint.config.toml import loads

_TOKEN = re.compile(
    r"""
    (?P<skip> \#[^\n]* | [ \t\r]+ )
  | (?P<string> \"{3} (?: \\. | [^\\] )*? \"{3,5} | '{3} .*? '{3,5} | "(?: \\. | [^"\\\n] )*" | '[^'\n]*' )
  | (?P<newline> \n )
  | (?P<bare> [\w-]+ )
  | (?P<sign> . )
    """,
    re.X | re.S,
)
Path = tuple[str, ...]


def line_of(text: str, path: Sequence[str], holding: str | None = None) -> int | None:
    """Return the line of a key in a valid document, counted from 1: that of the innermost part of its path that is written out.

    With `holding`, return the line of the first string with this value in what is assigned to the key.
    """
    wanted = tuple(path)
    places: dict[Path, int] = {}
    for found, row, value in _scan(text):
        if value is None:
            for end in range(1, len(found) + 1):
                places.setdefault(found[:end], row)
        elif value == holding and wanted[: len(found)] == found:
            return row
    return next((places[wanted[:end]] for end in range(len(wanted), 0, -1) if wanted[:end] in places), None)


def _scan(text: str) -> Iterator[tuple[Path, int, str | None]]:
    """Yield every key and header with its line, and every string in a value with its line and key."""
    table: Path = ()
    parts: Path = ()
    key: Path | None = None
    last = ""
    depth, row = 0, 1
    header = False
    for token in _TOKEN.finditer(text):
        kind, shown = token.lastgroup, token.group()
        if kind in ("string", "bare"):
            last = _value(shown) if kind == "string" else shown
            if key is None:
                parts += (last,)
            elif kind == "string":
                yield key, row, last
        elif kind == "newline" and not (key and depth):
            if header:
                table = parts
                yield table, row, None
            parts, key, header, depth = (), None, False, 0
        elif kind == "sign" and key is None:
            header = header or (shown == "[" and not parts)
            if shown == "=" and not header:
                key = table + parts
                yield key, row, None
        elif kind == "sign" and key is not None:
            depth += (shown in "[{") - (shown in "]}")
            if shown == "=":
                yield (*key, last), row, None
        row += shown.count("\n")


def _value(string: str) -> str:
    return str(loads(f"value = {string}")["value"])
