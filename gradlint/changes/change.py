"""Asks git which lines of which files have changed since a commit. The working tree counts, committed or not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gradlint.changes.git import Git, GitError, git_in
from gradlint.changes.lines import ALL, Lines
from gradlint.changes.patch import changed_lines

_DIFF = (
    "diff",
    "--unified=0",
    "--inter-hunk-context=0",
    "--find-renames",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--text",
    "--ignore-submodules=all",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
_USUAL = (".py", ".ipynb")
_WHOLE = "fetch the whole history (`git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout)"


@dataclass(frozen=True)
class Since:
    """A commit to compare with: `ref` itself or, with `merged`, the merge base of `ref` and HEAD."""

    ref: str
    merged: bool = False

    @property
    def words(self) -> str:
        return f"since the merge base with {self.ref}" if self.merged else f"since {self.ref}"


@dataclass(frozen=True)
class Change:
    """The changed lines of files, by real path. The rest of the repository below `top` has not changed."""

    since: Since
    top: str
    files: Mapping[str, Lines] = field(default_factory=dict)

    def lines(self, path: Path) -> Lines | None:
        """Return the changed lines of a file, or None if nothing in it has changed. Raises GitError outside of the repository."""
        real = _key(os.path.realpath(path))
        if not real.startswith(_key(self.top).rstrip(os.sep) + os.sep):
            raise GitError(f"{path}: not in the git repository {self.top}; check one repository at a time")
        return self.files.get(real)


def change_since(since: Since, home: Path, paths: Iterable[Path] = ()) -> Change:
    """Return what has changed in the repository that contains a folder. `paths` are files to check. Raises GitError."""
    git = git_in(home)
    top = _top(git)
    git = Git(git.program, Path(top))
    commit = _commit(git, since)
    wanted = _patterns(top, paths)
    patch = git.answer(*_DIFF, commit, "--", *wanted, settings=git.harmless)
    untracked = git.answer("ls-files", "-z", "--others", "--exclude-standard", "--", *wanted)
    found = {**changed_lines(patch), **{name: ALL for name in untracked.split(b"\0") if name}}
    return Change(since, top, {_key(os.path.realpath(_below(top, name))): lines for name, lines in found.items()})


def _top(git: Git) -> str:
    done = git.run("rev-parse", "--show-toplevel")
    top = os.fsdecode(done.stdout).removesuffix("\n")
    if done.returncode == 0 and top:
        return os.path.realpath(top)
    if b"dubious ownership" in done.stderr:
        raise GitError(f"{git.folder}: git does not trust this repository, because somebody else owns it (see `safe.directory`)")
    raise GitError(f"{git.folder}: not in a git repository, so nobody knows what has changed")


def _commit(git: Git, since: Since) -> str:
    """Return the hash of the commit to compare with."""
    tip = _resolved(git, since.ref)
    if tip is None:
        help_ = f"; the clone is shallow: {_WHOLE}" if _is_shallow(git) else ""
        raise GitError(f"git knows no commit {since.ref!r}{help_}")
    if not since.merged:
        return tip
    done = git.run("merge-base", tip, "HEAD")
    base = done.stdout.decode().strip()
    if done.returncode == 0 and base:
        return base
    if _is_shallow(git):
        raise GitError(f"the clone is shallow, and does not contain the merge base of {since.ref} and HEAD: {_WHOLE}")
    raise GitError(f"{since.ref} and HEAD have no commit in common; --changed-since {since.ref} compares with {since.ref} itself")


def _resolved(git: Git, ref: str) -> str | None:
    if not ref or ref.startswith("-") or "\0" in ref:
        return None
    done = git.run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    return done.stdout.decode().strip() if done.returncode == 0 else None


def _is_shallow(git: Git) -> bool:
    return git.run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"


def _patterns(top: str, paths: Iterable[Path]) -> Sequence[str]:
    """Return git's patterns for the files that can be checked: the usual ones, and files with other names."""
    others = (os.path.relpath(os.path.realpath(path), top) for path in paths if path.suffix not in _USUAL)
    return [*(f":(glob)**/*{suffix}" for suffix in _USUAL), *(f":(literal){name.replace(os.sep, '/')}" for name in others)]


def _below(top: str, name: bytes) -> str:
    return os.path.join(top, *os.fsdecode(name).split("/"))  # noqa: PTH118 - a name need not be a valid path


def _key(path: str) -> str:
    return os.path.normcase(path)
