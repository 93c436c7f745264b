"""From paths to files: `.gitignore` respected, the usual folders left out, named files always taken."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pathspec

DEFAULT_EXCLUDES = (
    ".bzr .direnv .eggs .git .git-rewrite .hg .ipynb_checkpoints .mypy_cache .nox .pants.d .pyenv .pytest_cache .pytype "
    ".ruff_cache .svn .tox .venv .vscode __pypackages__ __pycache__ _build buck-out build dist node_modules site-packages venv"
).split()
SUFFIXES = (".py",)


@dataclass(frozen=True)
class Found:
    """The files to check, those of them that were named themselves, and one message for each path that is none."""

    files: tuple[Path, ...]
    problems: tuple[str, ...]
    named: frozenset[Path] = frozenset()


def discover(paths: Sequence[Path], exclude: Sequence[str] = ()) -> Found:
    """Every Python file below the paths, each once, in a stable order."""
    problems: list[str] = []
    found: dict[str, Path] = {}
    named: set[Path] = set()
    spec = pathspec.GitIgnoreSpec.from_lines([*DEFAULT_EXCLUDES, *exclude])
    for path in paths:
        if path.is_dir():
            for file in _walk(path, spec, problems):
                found.setdefault(os.path.realpath(file), file)
        elif path.exists():
            found[os.path.realpath(path)] = path
            named.add(path)
        elif path.is_symlink():
            problems.append(f"{path}: broken link")
        else:
            problems.append(f"{path}: no such file or directory")
    return Found(tuple(found.values()), tuple(problems), frozenset(named))


def _walk(top: Path, excluded: pathspec.GitIgnoreSpec, problems: list[str]) -> Iterator[Path]:
    """The files of a tree; links to folders are not followed, so that no loop can arise."""
    ignores = _ignores_above(top)
    stack: list[tuple[Path, list[tuple[Path, pathspec.GitIgnoreSpec]]]] = [(top, ignores)]
    while stack:
        folder, specs = stack.pop()
        specs = [*specs, *_ignore_file(folder)]
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            problems.append(f"{folder}: {error.strerror or error}")
            continue
        below = []
        for entry in entries:
            path = folder / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            relative = os.path.relpath(path, top) + ("/" if is_folder else "")
            if excluded.match_file(relative) or _ignored(path, is_folder, specs):
                continue
            if is_folder:
                below.append((path, specs))
            elif entry.name.endswith(SUFFIXES) and not entry.is_dir():
                yield path
        stack.extend(reversed(below))


def _ignored(path: Path, is_folder: bool, specs: Sequence[tuple[Path, pathspec.GitIgnoreSpec]]) -> bool:
    """The innermost .gitignore that has an opinion decides."""
    for home, spec in reversed(specs):
        relative = os.path.relpath(path, home) + ("/" if is_folder else "")
        verdict = spec.check_file(relative).include
        if verdict is not None:
            return verdict
    return False


def _ignore_file(folder: Path) -> list[tuple[Path, pathspec.GitIgnoreSpec]]:
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [(folder, pathspec.GitIgnoreSpec.from_lines(lines))]


def _ignores_above(top: Path) -> list[tuple[Path, pathspec.GitIgnoreSpec]]:
    """The .gitignore files between a folder and the root of its repository."""
    found: list[tuple[Path, pathspec.GitIgnoreSpec]] = []
    current = Path(os.path.abspath(top))
    if (current / ".git").exists():
        return []
    for folder in current.parents:
        found = [*_ignore_file(folder), *found]
        if (folder / ".git").exists():
            return found
    return []
