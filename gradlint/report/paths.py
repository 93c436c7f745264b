"""File names for other programs: relative to the root of a project, or as URIs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_CHECKOUTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Where GitHub and GitLab keep the checkout. They expect file names relative to it."""


def project_root(environment: Mapping[str, str]) -> Path:
    """Return the checkout that contains the current folder, as the environment names it, or else the current folder."""
    here = Path(os.path.abspath(os.curdir))
    for name in _CHECKOUTS:
        if home := environment.get(name):
            path = Path(os.path.abspath(home))
            if path == here or path in here.parents:
                return path
    return here


def relative(filename: str, root: Path) -> str | None:
    """Return the path from a folder down to a file, with forward slashes, or None if the file is not below the folder."""
    for resolve in (os.path.abspath, os.path.realpath):
        try:
            return Path(resolve(filename)).relative_to(resolve(root)).as_posix()
        except ValueError:
            continue
    return None


def absolute(filename: str) -> str:
    """Return the absolute path, with forward slashes."""
    return Path(os.path.abspath(filename)).as_posix()


def relative_uri(path: str) -> str:
    """Return a relative path as a relative reference of RFC 3986. Its bytes are percent-encoded, whatever their encoding."""
    from urllib.parse import quote

    return quote(os.fsencode(path), safe="/")


def file_uri(path: str, *, folder: bool = False) -> str:
    """Return an absolute path as a `file:` URI. That of a folder ends in a slash, so that references resolve below it."""
    uri = Path(path).as_uri()
    return f"{uri}/" if folder and not uri.endswith("/") else uri
