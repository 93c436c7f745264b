"""`--watch`: checks what has changed, and reports the whole, until it is interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gradlint.config import FILE_NAMES
from gradlint.discover import FileKind
from gradlint.runner import FileResult, Job

Stamp = tuple[int, int] | None
WAKE = 1000
"""Milliseconds after which a watch that saw nothing looks for what changed before it had begun."""


class MissingExtra(RuntimeError):
    """What watches files is not installed; the message says what to install."""


@dataclass
class Watched:
    """The last result of every file, and what the file looked like when it was read."""

    check: Callable[[Sequence[Job]], Iterable[FileResult]]
    _seen: dict[Path, tuple[Job, Stamp, FileResult | None]] = field(default_factory=dict)

    def update(self, jobs: Sequence[Job]) -> list[FileResult] | None:
        """The results of all jobs, of which only those are done that are new or whose files have changed; None if none is."""
        stamps = {job.path: _stamp(job.path) for job in jobs}
        todo = [job for job in jobs if self._seen.get(job.path, ())[:2] != (job, stamps[job.path])]
        if not todo and self._seen and self._seen.keys() == stamps.keys():
            return None
        fresh = {result.path: result for result in self.check(todo)}
        redone = {job.path for job in todo}
        self._seen = {
            job.path: (job, stamps[job.path], fresh.get(str(job.path)) if job.path in redone else self._seen[job.path][2])
            for job in jobs
        }
        return [result for _, _, result in self._seen.values() if result is not None]


def wakes(paths: Sequence[Path], also: Sequence[Path] = ()) -> Iterator[None]:
    """Yields whenever a file below the paths changes that can matter, or one of `also`, and now and then besides.

    A path that is a file is watched through its folder, since editors replace files. Raises MissingExtra.
    """
    try:
        from watchfiles import Change, watch
    except ImportError as error:
        raise MissingExtra("--watch needs watchfiles: pip install 'torch-gradlint[watch]'") from error

    folders = {path if path.is_dir() else path.parent for path in (*paths, *also)}
    extra = {str(path.resolve()) for path in also}

    def matters(_: Change, name: str) -> bool:
        path = Path(name)
        endings = tuple(kind.value for kind in FileKind)
        return name.endswith(endings) or path.name in (*FILE_NAMES, ".gitignore") or str(path.resolve()) in extra

    recursive = any(path.is_dir() for path in paths)
    for _ in watch(
        *sorted(folders),
        watch_filter=matters,
        rust_timeout=WAKE,
        yield_on_timeout=True,
        recursive=recursive,
        ignore_permission_denied=True,
    ):
        yield


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
