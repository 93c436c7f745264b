"""`gradlint check --watch`: checks changed files again and reports on all files, until it is interrupted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import click

from gradlint.cli.terminal import complain
from gradlint.config.load import FILE_NAMES
from gradlint.files.discover import FileKind
from gradlint.files.read import content
from gradlint.repository.context import Contexts
from gradlint.repository.folder import SETTINGS
from gradlint.run.options import Options
from gradlint.run.plan import Plan
from gradlint.run.runner import run
from gradlint.run.task import FileResult, Job

Stamp = tuple[int, int] | None
WAKE = 1000
"""Milliseconds without an event after which the watch looks for changes that were made before it began."""


class MissingExtra(RuntimeError):
    """The library that watches files is not installed. The message says what to install."""


def watch(
    options: Options, planned: Callable[[Options], Plan | None], finish: Callable[[Plan, Sequence[FileResult]], int]
) -> int:
    """Check and report at once, and again whenever a file changes. Return 0 once interrupted.

    `planned` and `finish` are the first and the last part of a run. A configuration that breaks during the watch is reported, and
    the watch goes on. If it is broken at the start, or the options conflict, return 2.
    """
    watched = Watched(partial(run, workers=options.jobs))
    first = True
    try:
        for _ in wakes(options.paths, [options.baseline] if options.baseline is not None else []):
            plan = planned(options)
            if plan is None and first:
                return 2
            results = watched.update(plan.jobs) if plan is not None else None
            if plan is not None and results is not None:
                if sys.stdout.isatty():
                    click.clear()
                finish(plan, results)
                watched.settle()
            if results is not None and not options.quiet:
                click.echo("Watching for changes. Press Ctrl-C to stop.", err=True)
            first = False
    except MissingExtra as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        pass
    return 0


@dataclass
class Watched:
    """The last result of every file, and the state of the file when it was read."""

    check: Callable[[Sequence[Job]], Iterable[FileResult]]
    _seen: dict[Path, tuple[Job, Stamp, FileResult | None]] = field(default_factory=dict)
    _begun: bool = False

    def update(self, jobs: Sequence[Job]) -> list[FileResult] | None:
        """Check the files that are new, or whose inputs changed. Return the results of all jobs, or None if nothing changed."""
        stamps = {job.path: _stamp(job.path) for job in jobs}
        contexts = Contexts()
        todo = [
            job for job in jobs if self._seen.get(job.path, ())[:2] != (job, stamps[job.path]) or self._is_stale(job, contexts)
        ]
        if self._begun and not todo and self._seen.keys() == stamps.keys():
            return None
        self._begun = True
        fresh = {result.path: result for result in self.check(todo)}
        redone = {job.path for job in todo}
        self._seen = {
            job.path: (job, stamps[job.path], fresh.get(str(job.path)) if job.path in redone else self._seen[job.path][2])
            for job in jobs
        }
        return [result for _, _, result in self._seen.values() if result is not None]

    def _is_stale(self, job: Job, contexts: Contexts) -> bool:
        """Whether a file that the last result depends on has changed."""
        result = self._seen[job.path][2]
        return result is not None and not contexts.holds(str(job.path), result.context)

    def settle(self) -> None:
        """Note that the fixes are written, so that they are reported only once and do not count as changes by the user."""
        for path, (job, stamp, result) in list(self._seen.items()):
            if result is not None and result.after is not None:
                now = _stamp(path)
                stamp = now if _holds(path, result.after) else stamp
                self._seen[path] = (job, stamp, replace(result, applied=(), before=None, after=None))


def wakes(paths: Sequence[Path], also: Sequence[Path] = ()) -> Iterator[None]:
    """Yield at once, and then whenever a relevant file below the paths changes, or one of `also`.

    It also yields soon after the watch has begun, to catch changes made before. A path to a file is watched through its folder,
    because editors replace files. Raises MissingExtra.
    """
    try:
        from watchfiles import Change, watch
    except ImportError as error:
        raise MissingExtra("--watch needs watchfiles: pip install 'torch-gradlint[watch]'") from error

    endings = (*(kind.value for kind in FileKind), *SETTINGS)
    extra = {str(path.resolve()) for path in also}

    def matters(_: Change, name: str) -> bool:
        path = Path(name)
        return name.endswith(endings) or path.name in (*FILE_NAMES, ".gitignore") or str(path.resolve()) in extra

    yield
    folders = sorted({path if path.is_dir() else path.parent for path in (*paths, *also)})
    changes = watch(
        *folders,
        watch_filter=matters,
        rust_timeout=WAKE,
        yield_on_timeout=True,
        recursive=any(path.is_dir() for path in paths),
        ignore_permission_denied=True,
    )
    for number, seen in enumerate(changes):
        if seen or number == 0:
            yield


def _holds(path: Path, data: bytes) -> bool:
    try:
        return content(path) == data
    except OSError:
        return False


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
