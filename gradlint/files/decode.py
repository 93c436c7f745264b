"""Converts between bytes and text, and keeps the encoding cookie, byte-order mark and newlines."""

from __future__ import annotations

import codecs
import io
import tokenize
from dataclasses import dataclass


@dataclass(frozen=True)
class Decoded:
    """The text of a file, and what is needed to write it back in the same form."""

    text: str
    encoding: str = "utf-8"
    bom: bool = False
    faithful: bool = True
    """Whether encoding the text gives the same bytes again. If it does not, the file is never rewritten."""

    def encode(self, text: str) -> bytes:
        """Encode a new text as the file is encoded. Raises UnicodeEncodeError if the encoding lacks a character."""
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)

    def refusal(self, text: str) -> str | None:
        """Return why a new text cannot be written to the file, or None if it can."""
        if not self.faithful:
            return f"in {self.encoding}, writing the file would also change code that no fix touches"
        try:
            self.encode(text)
        except UnicodeEncodeError as error:
            return f"{self.encoding} cannot encode {error.object[error.start : error.end]!r}"
        return None


@dataclass(frozen=True)
class Undecodable:
    """Why bytes cannot be decoded. `row` counts from 1."""

    row: int
    message: str


def decode(data: bytes) -> Decoded | Undecodable:
    """Decode Python source as PEP 263 says: as UTF-8, unless a byte-order mark or a cookie names another encoding."""
    bom = data.startswith(codecs.BOM_UTF8)
    body = data[len(codecs.BOM_UTF8) :] if bom else data
    if b"\0" in body:
        return Undecodable(body[: body.index(b"\0")].count(b"\n") + 1, "the file contains a NUL byte")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except (SyntaxError, LookupError) as error:
        return _not_utf_8(body) or Undecodable(1, f"gradlint cannot tell the encoding: {error}")
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    try:
        text = body.decode(encoding)
        return Decoded(text, encoding, bom, faithful=text.encode(encoding) == body)
    except UnicodeDecodeError as error:
        return _bad_byte(body, error)
    except (LookupError, UnicodeError) as error:
        return Undecodable(1, f"gradlint cannot tell the encoding: {error}")


def _not_utf_8(body: bytes) -> Undecodable | None:
    """Return where bytes stop being UTF-8, or None if they are valid."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return _bad_byte(body, error)
    return None


def _bad_byte(body: bytes, error: UnicodeDecodeError) -> Undecodable:
    return Undecodable(body[: error.start].count(b"\n") + 1, f"not valid {error.encoding}: byte {body[error.start]:#04x}")
