"""Runs git without letting the repository's configuration run a program."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gradlint.config.load import ConfigError

_DROPPED = ("GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_ICASE_PATHSPECS")
_SET = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",  # an index that is not written calls no hook
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # for versions of git that do not know the line above
    "GIT_TERMINAL_PROMPT": "0",
}
_PLAIN = ("core.fsmonitor=", f"core.hooksPath={os.devnull}", "core.quotePath=false", "diff.relative=false")


class GitError(ConfigError):
    """git cannot say what has changed. The message says why, and what helps."""


@dataclass(frozen=True)
class Git:
    """git in one folder. `program` is its path."""

    program: str
    folder: Path

    def run(self, *arguments: str, settings: Sequence[str] = ()) -> subprocess.CompletedProcess[bytes]:
        """Run a command of git. Raises GitError if git cannot be started."""
        environment = {key: value for key, value in os.environ.items() if key not in _DROPPED}
        given = [part for setting in (*_PLAIN, *settings) for part in ("-c", setting)]
        try:
            return subprocess.run(
                [self.program, "--no-pager", *given, *arguments],
                cwd=self.folder,
                env={**environment, **_SET},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise GitError(f"git cannot be started: {error.strerror or error}") from error

    def answer(self, *arguments: str, settings: Sequence[str] = ()) -> bytes:
        """Return what a command prints. Raises GitError with git's own words if it fails."""
        done = self.run(*arguments, settings=settings)
        if done.returncode:
            raise GitError(f"`git {arguments[0]}` fails: {_words(done.stderr) or f'status {done.returncode}'}")
        return done.stdout

    @cached_property
    def harmless(self) -> Sequence[str]:
        """Settings that turn off every filter of the configuration, because a filter is a program. Raises GitError."""
        done = self.run("config", "-z", "--name-only", "--get-regexp", r"^filter\.")
        drivers = {key.rpartition(b".")[0] for key in done.stdout.split(b"\0") if key}
        found = []
        for driver in sorted(drivers):
            if b"=" in driver:
                raise GitError(f"the configuration of git has a filter that cannot be turned off: {os.fsdecode(driver)!r}")
            name = os.fsdecode(driver)
            found += [f"{name}.clean=", f"{name}.smudge=", f"{name}.process=", f"{name}.required=false"]
        return found


def git_in(folder: Path) -> Git:
    """Return git for a folder. Raises GitError if there is none.

    A program in the current folder is never taken, because it may come from the repository.
    """
    name = "git.exe" if os.name == "nt" else "git"
    for place in os.get_exec_path():
        program = os.path.join(place, name)  # noqa: PTH118 - an entry of PATH need not be a valid path
        if Path(place).is_absolute() and os.access(program, os.X_OK) and Path(program).is_file():
            return Git(program, folder)
    raise GitError("git is not installed, and only git knows what has changed")


def _words(stderr: bytes) -> str:
    """Return what git complains about, on one line."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or lines or [""])[0].partition(": ")[2] or (lines or [""])[0]
