"""Finds the files to check below paths. It respects `.gitignore`, skips the usual folders, and always takes named files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from gradlint.config.contents import LARGEST_SETTINGS, MOST_PATTERNS, regular
from gradlint.config.load import FILE_NAMES, Config, Configs
from gradlint.config.patterns import Compiled, Patterns, compiled, leaving_out

DEFAULT_EXCLUDES = frozenset(
    (
        ".bzr .direnv .eggs .git .git-rewrite .gradlint_cache .hg .ipynb_checkpoints .mypy_cache .nox .pants.d .pyenv .pytest_cache "
        ".pytype .ruff_cache .svn .tox .venv .vscode __pypackages__ __pycache__ _build buck-out build dist "
        "node_modules site-packages venv"
    ).split()
)
USUAL = "usually left out"


class FileKind(str, Enum):
    """The type of a file, by its suffix."""

    SCRIPT = ".py"
    NOTEBOOK = ".ipynb"


@dataclass(frozen=True)
class Target:
    """A file to check, with the closest configuration. It is `named` if the command line names it."""

    path: Path
    config: Config
    named: bool = False


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is skipped, and the reason."""

    path: Path
    why: str


@dataclass(frozen=True)
class Found:
    """The files to check, one message for each path that cannot be checked, and what was skipped.

    `unchanged` is how many files were skipped because a change does not touch them.
    """

    targets: tuple[Target, ...]
    problems: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    unchanged: int = 0


def discover(paths: Sequence[Path], configs: Configs | None = None) -> Found:
    """Find every Python file and notebook below the paths, each once, in a stable order. Raises ConfigError."""
    walk = _Walk(configs or Configs(Config()))
    found: dict[str, Target] = {}
    for path in paths:
        problem = _problem(path)
        if problem is not None:
            walk.problems.append(f"{path}: {problem}")
        elif path.is_dir():
            for real, target in walk.below(path):
                found.setdefault(real, target)
        else:
            config = walk.configs.of(path.parent)
            why = excluded(path, config) if config.force_exclude else None
            if why is None:
                found[os.path.realpath(path)] = Target(path, config, named=True)
            else:
                walk.left_out.append(LeftOut(path, why))
    return Found(tuple(found.values()), tuple(walk.problems), tuple(walk.left_out))


def excluded(path: Path, config: Config) -> str | None:
    """Return what excludes a named file or a folder above it, or None if nothing does."""
    if config.exclude is None:
        home = config.source.parent if config.source is not None else Path.cwd()
        if not DEFAULT_EXCLUDES.isdisjoint(Path(os.path.relpath(path, home)).parts):
            return USUAL
    return leaving_out(_excluding(config), path, is_folder=False)


def _excluding(config: Config) -> Compiled:
    return compiled((*((config.exclude,) if config.exclude else ()), *config.extend_exclude))


def _problem(path: Path) -> str | None:
    """Return why a given path cannot be checked, or None if it can."""
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "the link leads back to itself"
        return "broken link" if error.errno == errno.ENOENT and path.is_symlink() else error.strerror or str(error)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class _Folder:
    """A folder to search, with what its own settings and ignore files say, and those of the folders above it."""

    path: Path
    config: Config
    excluded: Compiled
    ignored: Compiled
    real: str
    """The path of the folder after following all links."""

    def leaves_out(self, path: Path, *, is_folder: bool) -> str | None:
        """Return what excludes an entry of this folder: a setting, or the innermost .gitignore that has an opinion."""
        if self.config.exclude is None and path.name in DEFAULT_EXCLUDES:
            return USUAL
        return leaving_out(self.excluded, path, is_folder=is_folder) or _ignored(self.ignored, path, is_folder=is_folder)


def _ignored(patterns: Compiled, path: Path, *, is_folder: bool) -> str | None:
    for each in reversed(patterns):
        verdict = each.verdict(path, is_folder=is_folder)
        if verdict is not None:
            return each.source if verdict else None
    return None


@dataclass
class _Walk:
    configs: Configs
    problems: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def below(self, top: Path) -> Iterator[tuple[str, Target]]:
        """Yield the files of a tree, each with its path after following links.

        Links to folders are not followed, so there are no cycles.
        """
        config = self.configs.of(top)
        stack = [
            _Folder(
                top, config, _excluding(config), _ignores_above(top) if config.respect_gitignore else (), os.path.realpath(top)
            )
        ]
        while stack:
            folder = stack.pop()
            try:
                entries = sorted(os.scandir(folder.path), key=lambda entry: entry.name)
            except OSError as error:
                self.problems.append(f"{folder.path}: {error.strerror or error}")
                continue
            folder = self._with_files(folder, {entry.name for entry in entries})
            below = []
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not entry.name.endswith((FileKind.SCRIPT.value, FileKind.NOTEBOOK.value)):
                    continue
                path = folder.path / entry.name
                why = folder.leaves_out(path, is_folder=is_folder)
                if why is not None:
                    self.left_out.append(LeftOut(path, why))
                elif is_folder:
                    below.append(_Folder(path, folder.config, folder.excluded, folder.ignored, _inside(folder.real, entry.name)))
                elif _readable(entry):
                    real = os.path.realpath(path) if entry.is_symlink() else _inside(folder.real, entry.name)
                    yield real, Target(path, folder.config)
            stack.extend(reversed(below))

    def _with_files(self, folder: _Folder, names: set[str]) -> _Folder:
        config = self.configs.below(folder.path, folder.config, has_file=not names.isdisjoint(FILE_NAMES))
        excluded = folder.excluded if config is folder.config else _excluding(config)
        ignored = folder.ignored
        if ".gitignore" in names and config.respect_gitignore:
            ignored += _read_ignores(folder.path)
        return _Folder(folder.path, config, excluded, ignored, folder.real)


def _inside(folder: str, name: str) -> str:
    return f"{folder}{os.sep}{name}"


def _readable(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or a broken link, which is reported when it is read. A pipe is neither."""
    try:
        return entry.is_file() or not Path(entry.path).exists()
    except OSError:
        return True


def _read_ignores(folder: Path) -> Compiled:
    path = folder / ".gitignore"
    try:
        lines = regular(path, LARGEST_SETTINGS).decode(errors="replace").splitlines()
    except OSError:
        return ()
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    return (Patterns.of(folder, lines, str(path)),) if 0 < len(lines) <= MOST_PATTERNS else ()


def _ignores_above(top: Path) -> Compiled:
    """Return the .gitignore files between a folder and the root of its repository, or none outside of repositories."""
    found: Compiled = ()
    current = Path(os.path.abspath(top))
    if (current / ".git").exists():
        return ()
    for folder in current.parents:
        found = _read_ignores(folder) + found
        if (folder / ".git").exists():
            return found
    return ()
