"""The part of a fix that changes other files than the document it was found in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lsprotocol import types
from pygls.uris import from_fs_path

from gradlint.diagnostic import TextFix
from gradlint.files.decode import Decoded, decode
from gradlint.server.documents import Documents, Script
from gradlint.server.text import Text


def changes_elsewhere(fix: TextFix, texts: Mapping[str, str], documents: Documents) -> Sequence[types.TextDocumentEdit] | None:
    """Return the edits of other files: of open ones in their current version, of the rest as they are on disk.

    `texts` are the texts that were checked, by real path. Return None if a file has another text now.
    """
    opened = {os.path.realpath(each.path): each for each in documents.all() if isinstance(each, Script) and each.path is not None}
    found: list[types.TextDocumentEdit] = []
    for part in fix.elsewhere:
        script = opened.get(part.filename) or _on_disk(part.filename, documents)
        if script is None or script.code != texts.get(part.filename):
            return None
        found += script.repaired(part.edits)
    return found


def _on_disk(path: str, documents: Documents) -> Script | None:
    uri = from_fs_path(path)
    try:
        decoded = decode(Path(path).read_bytes())
    except OSError:
        return None
    return Script(uri, None, Text(decoded.text, documents.encoding)) if uri and isinstance(decoded, Decoded) else None
