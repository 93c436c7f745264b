"""Prepares pull requests: for each repository a clone with a branch that holds the safe fixes, and the same as a patch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from gradlint.organisation.git import GitFailed, git, is_url, without_password

BRANCH = "gradlint-safe-fixes"
SUBJECT = "Fix gradient accumulation"
_BODY = "These are the safe fixes of gradlint (https://github.com/torch-gradlint/torch-gradlint)."
_AUTHOR = ("-c", "user.name=gradlint", "-c", "user.email=gradlint@localhost", "-c", "commit.gpgSign=false")


def prepare(repository: str, folder: Path, seconds: float = 600) -> Path | None:
    """Clone a repository below a folder, commit the safe fixes on a branch, and write the patch beside it.

    Returns the patch, or None if there is nothing to fix; then no clone is left. Nothing is pushed, and a path is not touched.
    Raises GitFailed and TimeoutExpired.
    """
    if without_password(repository) != repository:
        raise GitFailed("the address contains a user or password; put a token into the environment instead")
    home = folder / _name(repository)
    if home.exists():
        raise GitFailed(f"{home} exists already")
    folder.mkdir(parents=True, exist_ok=True)
    source = repository if is_url(repository) else f"file://{Path(repository).absolute()}"
    try:
        git("clone", "--quiet", "--depth=1", "--no-tags", "--no-checkout", "--", source, str(home))
        attributes = home / ".git" / "info" / "attributes"
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text("* -filter -ident -text -eol -working-tree-encoding\n", encoding="ascii")
        git("-c", "core.symlinks=false", "checkout", "--quiet", "-b", BRANCH, cwd=home)
        _fix(home, seconds)
        if not git("status", "--porcelain", "--untracked-files=no", cwd=home).strip():
            shutil.rmtree(home)
            return None
        git(*_AUTHOR, "commit", "--quiet", "--all", "--no-verify", f"--message={SUBJECT}\n\n{_BODY}", cwd=home)
        patch = folder / f"{home.name}.patch"
        patch.write_bytes(git("format-patch", "--stdout", "-1", cwd=home))
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return patch


def _fix(home: Path, seconds: float) -> None:
    command = [sys.executable, "-m", "gradlint", "check", "--isolated", "--no-cache", "--fix-only", "--quiet", "."]
    done = subprocess.run(command, cwd=home, capture_output=True, timeout=seconds, env=_without_secrets(), check=False)
    if done.returncode > 1:
        raise GitFailed(f"gradlint could not check every file (status {done.returncode})")


def _without_secrets() -> dict[str, str]:
    from gradlint.organisation.git import TOKEN

    return {name: value for name, value in os.environ.items() if name != TOKEN} | {"PYTHONSAFEPATH": "1"}


def _name(repository: str) -> str:
    """Return a name for the clone that is one safe part of a path."""
    parts = re.split(r"[/:]", repository.rstrip("/").removesuffix(".git").removesuffix("/"))
    return re.sub(r"[^\w.-]", "-", "-".join(parts[-2:])).lstrip(".-") or "repository"
