"""Runs git on repositories that nobody vouches for: no prompt, no hook, no filter, no submodule, and no token in sight."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

TOKEN = "GRADLINT_GIT_TOKEN"
"""The environment variable with the token."""
HOST = "GRADLINT_GIT_HOST"
"""The environment variable with the only host that gets the token."""
USUAL_HOST = "github.com"
_SCHEMES = ("file://", "git://", "http://", "https://", "ssh://")


class GitFailed(RuntimeError):
    """git could not do something. The message is its last line, without the token."""


def is_url(name: str) -> bool:
    """Whether a repository is named by an address and not by a folder: `https://...`, or `git@host:path`."""
    return name.startswith(_SCHEMES) or ("@" in name.partition(":")[0] and ":" in name and "/" not in name.partition(":")[0])


def without_password(name: str) -> str:
    """Return an address without the user and password that may be in it. The user of ssh stays, because it is no secret."""
    try:
        parts = urlsplit(name)
        secret = parts.password is not None or (parts.username is not None and parts.scheme in ("http", "https"))
    except ValueError:
        return name.partition("@")[2] or name
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if secret else name


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of git: the token is a header for one host, and configuration that could run programs is off."""
    settings = [
        ("core.hooksPath", os.devnull),
        ("core.fsmonitor", "false"),
        ("credential.helper", ""),
        ("init.templateDir", ""),
        ("submodule.recurse", "false"),
        ("safe.directory", "*"),
    ]
    token = given.get(TOKEN)
    if token:
        secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        settings.append((f"http.https://{given.get(HOST) or USUAL_HOST}/.extraHeader", f"Authorization: Basic {secret}"))
    kept = {name: value for name, value in given.items() if name != TOKEN and not name.startswith("GIT_")}
    own = {f"GIT_CONFIG_KEY_{place}": key for place, (key, _) in enumerate(settings)}
    own |= {f"GIT_CONFIG_VALUE_{place}": value for place, (_, value) in enumerate(settings)}
    return {
        **kept,
        **own,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_SSH_COMMAND": given.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"),
        "LC_ALL": "C",
    }


def git(*arguments: str, cwd: str | os.PathLike[str] | None = None, stdin: bytes | None = None) -> bytes:
    """Run git and return its output. Raises GitFailed."""
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, input=stdin if stdin is not None else b"", capture_output=True, env=environment(os.environ)
    )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        told = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines or [f"git {arguments[0]} failed"]
        raise GitFailed(without_token(told[0], os.environ))
    return done.stdout


def without_token(text: str, given: Mapping[str, str]) -> str:
    """Return a text in which the token, should it be there, cannot be read."""
    token = given.get(TOKEN)
    return text.replace(token, "***") if token else text
