"""From bytes to text and back: encoding cookie, byte-order mark and newlines are kept."""

from __future__ import annotations

import codecs
import io
import tokenize
from dataclasses import dataclass


@dataclass(frozen=True)
class Decoded:
    """A file's text, and what is needed to write it back as it was."""

    text: str
    encoding: str = "utf-8"
    bom: bool = False
    faithful: bool = True
    """Whether encoding the text again gives the same bytes; where it does not, the file is never rewritten."""

    def encode(self, text: str) -> bytes:
        """The bytes of a new text in the file's own encoding. Raises UnicodeEncodeError where it has no form in it."""
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)

    def refusal(self, text: str) -> str | None:
        """Why a new text cannot be written to the file, if it cannot."""
        if not self.faithful:
            return f"in {self.encoding}, writing the file would also change code that no fix touches"
        try:
            self.encode(text)
        except UnicodeEncodeError as error:
            return f"{self.encoding} cannot encode {error.object[error.start : error.end]!r}"
        return None


@dataclass(frozen=True)
class Undecodable:
    """Why bytes are no text; `row` counts from 1."""

    row: int
    message: str


def decode(data: bytes) -> Decoded | Undecodable:
    """Decode Python source by PEP 263: UTF-8 unless a byte-order mark or a cookie says otherwise."""
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
    """Where bytes stop being UTF-8; None where they are."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return _bad_byte(body, error)
    return None


def _bad_byte(body: bytes, error: UnicodeDecodeError) -> Undecodable:
    return Undecodable(body[: error.start].count(b"\n") + 1, f"not valid {error.encoding}: byte {body[error.start]:#04x}")
