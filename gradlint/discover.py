"""From paths to files: `.gitignore` respected, the usual folders left out, named files always taken."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint.config import FILE_NAME, Config, Configs

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

DEFAULT_EXCLUDES = frozenset(
    (
        ".bzr .direnv .eggs .git .git-rewrite .hg .ipynb_checkpoints .mypy_cache .nox .pants.d .pyenv .pytest_cache "
        ".pytype .ruff_cache .svn .tox .venv .vscode __pypackages__ __pycache__ _build buck-out build dist "
        "node_modules site-packages venv"
    ).split()
)


class FileKind(str, Enum):
    """What a file is, by its name."""

    SCRIPT = ".py"
    NOTEBOOK = ".ipynb"


@dataclass(frozen=True)
class Target:
    """A file to check, under the configuration that is nearest to it; `named` if it stood on the command line."""

    path: Path
    config: Config
    named: bool = False


@dataclass(frozen=True)
class Found:
    """The files to check, and one message for each path that is none."""

    targets: tuple[Target, ...]
    problems: tuple[str, ...]


def discover(
    paths: Sequence[Path], configs: Configs | None = None, exclude: Sequence[str] = (), *, force_exclude: bool = False
) -> Found:
    """Every Python file below the paths, each once, in a stable order. Raises ConfigError.

    The patterns of `exclude` are relative to where the program runs. With `force_exclude` they, those of the configuration
    and the usual ones hold for files that are named themselves, too.
    """
    walk = _Walk(configs or Configs(Config()), _patterns(Path(), exclude))
    found: dict[str, Target] = {}
    for path in paths:
        problem = _problem(path)
        if problem is not None:
            walk.problems.append(f"{path}: {problem}")
        elif path.is_dir():
            for target in walk.below(path):
                found.setdefault(os.path.realpath(target.path), target)
        else:
            config = walk.configs.of(path.parent)
            if not (force_exclude and walk.leaves_out(path, config)):
                found[os.path.realpath(path)] = Target(path, config, named=True)
    return Found(tuple(found.values()), tuple(walk.problems))


def _problem(path: Path) -> str | None:
    """Why a path that was given cannot be checked."""
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "the link leads back to itself"
        return "broken link" if path.is_symlink() else error.strerror or str(error)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class _Patterns:
    """The patterns of one file, and the folder that they are relative to."""

    home: Path
    spec: GitIgnoreSpec

    def verdict(self, path: Path, *, is_folder: bool) -> bool | None:
        """True for left out, False for taken in, None for no opinion."""
        relative = os.path.relpath(path, self.home) + ("/" if is_folder else "")
        return self.spec.check_file(relative).include


@dataclass(frozen=True)
class _Folder:
    """A folder to look into, with what its own files and those of the folders above it say."""

    path: Path
    config: Config
    excluded: tuple[_Patterns, ...]
    ignored: tuple[_Patterns, ...]

    def leaves_out(self, path: Path, *, is_folder: bool) -> bool:
        """Whether an entry of this folder is excluded, or ignored by the innermost .gitignore that has an opinion."""
        if any(each.verdict(path, is_folder=is_folder) for each in self.excluded):
            return True
        opinions = (each.verdict(path, is_folder=is_folder) for each in reversed(self.ignored))
        return next((opinion for opinion in opinions if opinion is not None), False)


@dataclass
class _Walk:
    configs: Configs
    excluded: tuple[_Patterns, ...]
    problems: list[str] = field(default_factory=list)

    def below(self, top: Path) -> Iterator[Target]:
        """The files of a tree; links to folders are not followed, so that no loop can arise."""
        config = self.configs.of(top)
        stack = [_Folder(top, config, self._excluded(config), _ignores_above(top))]
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
                if entry.name in DEFAULT_EXCLUDES or not (
                    is_folder or entry.name.endswith((FileKind.SCRIPT.value, FileKind.NOTEBOOK.value))
                ):
                    continue
                path = folder.path / entry.name
                if folder.leaves_out(path, is_folder=is_folder):
                    continue
                if is_folder:
                    below.append(_Folder(path, folder.config, folder.excluded, folder.ignored))
                elif _readable(entry):
                    yield Target(path, folder.config)
            stack.extend(reversed(below))

    def leaves_out(self, path: Path, config: Config) -> bool:
        """Whether a file that was named is excluded, by itself or with a folder above it."""
        home = config.root or Path.cwd()
        if not DEFAULT_EXCLUDES.isdisjoint(Path(os.path.relpath(path, home)).parts):
            return True
        return any(each.verdict(path, is_folder=False) for each in self._excluded(config))

    def _with_files(self, folder: _Folder, names: set[str]) -> _Folder:
        config = self.configs.below(folder.path, folder.config, has_file=FILE_NAME in names)
        excluded = folder.excluded if config is folder.config else self._excluded(config)
        ignored = folder.ignored + (_read_ignores(folder.path) if ".gitignore" in names else ())
        return _Folder(folder.path, config, excluded, ignored)

    def _excluded(self, config: Config) -> tuple[_Patterns, ...]:
        return self.excluded + _patterns(config.root or Path(), config.exclude)


def _readable(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or a link that leads nowhere, which is reported when it is read; a pipe is neither."""
    try:
        return entry.is_file() or not Path(entry.path).exists()
    except OSError:
        return True


def _patterns(home: Path, lines: Sequence[str]) -> tuple[_Patterns, ...]:
    if not lines:
        return ()
    from pathspec import GitIgnoreSpec

    return (_Patterns(home, GitIgnoreSpec.from_lines(lines)),)


def _read_ignores(folder: Path) -> tuple[_Patterns, ...]:
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return _patterns(folder, lines)


def _ignores_above(top: Path) -> tuple[_Patterns, ...]:
    """The .gitignore files between a folder and the root of its repository; none where there is no repository."""
    found: tuple[_Patterns, ...] = ()
    current = Path(os.path.abspath(top))
    if (current / ".git").exists():
        return ()
    for folder in current.parents:
        found = _read_ignores(folder) + found
        if (folder / ".git").exists():
            return found
    return ()
