"""Writes the files of a commit that gradlint reads. git's own checkout would run filters and create links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gradlint.organisation.git import git

LARGEST = 5_000_000
"""Larger files are left out: no training script has that size."""
MOST = 2_000_000_000
"""The maximum size of all files together."""
_READ = (".py", ".ipynb", ".yaml", ".yml", ".json", ".toml", ".cfg", ".ini", ".gitignore")
_FILES = (b"100644", b"100755")


def clone(url: str, folder: Path) -> None:
    """Make a bare clone of the newest commit, without the large files if the server can leave them out. Raises GitFailed."""
    git(
        "clone", "--quiet", "--bare", "--depth=1", "--single-branch", "--no-tags", f"--filter=blob:limit={LARGEST}", "--", url, str(folder)
    )  # fmt: skip


def write_tree(repository: Path, commit: str, folder: Path) -> int:
    """Write those files of a commit that gradlint may read into a folder, and return how many. Raises GitFailed."""
    wanted = list(_wanted(repository, commit))
    if not wanted:
        return 0
    written = 0
    for path, data in _contents(repository, wanted):
        target = folder / os.fsdecode(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except (OSError, ValueError):  # the name is too long, or a folder has that name
            continue
        written += 1
    return written


def _wanted(repository: Path, commit: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the path and the object of each file to write."""
    for line in git("ls-tree", "-r", "-z", "--full-tree", commit, cwd=repository).split(b"\0"):
        head, _, path = line.partition(b"\t")
        mode, _, rest = head.partition(b" ")
        if mode in _FILES and path.lower().endswith(tuple(map(str.encode, _READ))) and _is_inside(path):
            yield path, rest.split(b" ")[1]


def _is_inside(path: bytes) -> bool:
    """Whether a path stays below the folder. A tree that somebody crafted may contain any name."""
    parts = path.split(b"/")
    return not any(part in (b"", b".", b"..") or part.lower() == b".git" for part in parts)


def _contents(repository: Path, wanted: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the path and the bytes of each file that the clone has and that is not too large."""
    asked = b"".join(name + b"\n" for _, name in wanted)
    sizes = git("cat-file", "--batch-check=%(objectsize)", cwd=repository, stdin=asked).split(b"\n")
    kept, total = [], 0
    for (path, name), size in zip(wanted, sizes, strict=False):
        if size.isdigit() and int(size) <= LARGEST and total + int(size) <= MOST:
            kept.append((path, name))
            total += int(size)
    for start in range(0, len(kept), 500):
        part = kept[start : start + 500]
        data = git("cat-file", "--batch=%(objectsize)", cwd=repository, stdin=b"".join(name + b"\n" for _, name in part))
        place = 0
        for path, _ in part:
            end = data.index(b"\n", place)
            begin, place = end + 1, end + 1 + int(data[place:end])
            yield path, data[begin:place]
            place += 1  # a line break follows each file


def forget_origin(repository: Path) -> None:
    """Make a clone complete as it is, so that git does not fetch what the server left out."""
    config = repository / "config"
    lines = config.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
    kept = [line for line in lines if "partialclone" not in line.lower() and "promisor" not in line.lower()]
    config.write_text("".join(kept), encoding="utf-8", errors="surrogateescape")
