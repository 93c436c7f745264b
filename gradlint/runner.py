"""Runs the engine over files: a worker takes bytes and gives diagnostics and new bytes, in process or in a pool."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint.decode import Decoded, Undecodable, decode
from gradlint.diagnostic import Diagnostic, unreadable
from gradlint.prefilter import mentions_suppression, worth_reading
from gradlint.selection import Selection
from gradlint.settings import Names

if TYPE_CHECKING:
    from gradlint.baseline import Entries, Print
    from gradlint.review import Repair

Progress = Callable[[Iterator["FileResult"], int], Iterator["FileResult"]]
"""Passes results on as they come, and shows how many of how many there are."""
POOL_FROM = 40
"""Candidate files from which a process pool pays for its start."""


@dataclass(frozen=True)
class Task:
    """What to do with a file; picklable. The selectors are known to name rules."""

    selection: Selection = field(default_factory=Selection)
    fix: bool = False
    unsafe: bool = False
    names: Names = field(default_factory=Names)
    baseline: Entries | None = None
    """What is accepted in this file; None where no baseline is in play, and nobody asks for the findings' prints."""
    annotate: str | None = None
    """Whether to write comments that silence what is found, and the reason that they give."""


@dataclass(frozen=True)
class Job:
    """A file and what to do with it; a `named` file is read even where its bytes can hold no finding.

    `data` is the content of what is no file: it came over stdin.
    """

    path: Path
    task: Task
    named: bool = False
    data: bytes | None = None


@dataclass(frozen=True)
class FileResult:
    """What came of one file.

    `text` is what the diagnostics are about, in a notebook `cells` by their numbers; `before` and `after` are set where a
    fix was applied, `crash` where gradlint itself failed. `held` are the entries of the baseline that hold findings back,
    `prints` what everything is known by that was found, held back or not.
    """

    path: str
    diagnostics: tuple[Diagnostic, ...] = ()
    applied: tuple[Diagnostic, ...] = ()
    before: bytes | None = None
    after: bytes | None = None
    text: str = ""
    cells: tuple[tuple[int, str], ...] = ()
    crash: str | None = None
    held: tuple[Print, ...] = ()
    prints: tuple[Print, ...] = ()


def run(jobs: Iterable[Job], workers: int | None = None, progress: Progress | None = None) -> Iterator[FileResult]:
    """Do every job; results come in the order of the jobs. Nothing is written."""
    candidates = [item for job in jobs for item in _read(job)]
    alone = workers == 1 or len(candidates) < POOL_FROM
    results = map(_guarded, candidates) if alone else _in_pool(candidates, workers)
    yield from results if progress is None else progress(results, len(candidates))


def _read(job: Job) -> Iterator[tuple[Job, bytes | str]]:
    """A job with its file's content, or with why there is none; nothing for a file that can hold no finding."""
    try:
        data = job.path.read_bytes() if job.data is None else job.data
    except OSError as error:
        yield job, error.strerror or str(error)
        return
    if job.named or worth_reading(data) or mentions_suppression(data):
        yield job, data


def _in_pool(candidates: Sequence[tuple[Job, bytes | str]], workers: int | None) -> Iterator[FileResult]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    done = 0
    try:
        with ProcessPoolExecutor(max_workers=workers) as pool:
            for result in pool.map(_guarded, candidates, chunksize=max(1, min(16, len(candidates) // 32))):
                done += 1
                yield result
    except BrokenProcessPool:
        yield from _one_by_one(candidates[done:])


def _one_by_one(candidates: Sequence[tuple[Job, bytes | str]]) -> Iterator[FileResult]:
    """Each file apart, after one of them has ended a process: that one is named, and the others are done."""
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    done = 0
    while done < len(candidates):
        with ProcessPoolExecutor(max_workers=1) as pool:
            for item in candidates[done:]:
                done += 1
                try:
                    yield pool.submit(_guarded, item).result()
                except BrokenProcessPool:
                    yield FileResult(str(item[0].path), crash="the process that checked this file was ended by the system")
                    break


def _guarded(item: tuple[Job, bytes | str]) -> FileResult:
    job, data = item
    name = str(job.path)
    if isinstance(data, str):
        return FileResult(name, (unreadable(name, 1, 1, f"the file cannot be read: {data}"),))
    try:
        return process(name, data, job.task)
    except RecursionError:
        return FileResult(name, (unreadable(name, 1, 1, "the code is nested too deeply to be checked"),))
    except Exception:
        import traceback

        return FileResult(name, crash=traceback.format_exc(limit=-3).strip())


def process(name: str, data: bytes, task: Task, repair: Repair | None = None) -> FileResult:
    """Check one file's bytes, and repair them as the task says, or as `repair` does where it is given."""
    decoded = decode(data)
    if isinstance(decoded, Undecodable):
        return FileResult(name, (unreadable(name, decoded.row, 1, decoded.message),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python's parser has to say of the code that is checked
        if name.endswith(".ipynb"):
            return _check_notebook(name, data, decoded, task, repair)
        annotated = mentions_suppression(data) and _is_annotated(decoded.text)
        if not worth_reading(data) and not annotated and _parses(decoded.text):
            return FileResult(name)
        return _check(name, data, decoded, task, repair)


def _check_notebook(name: str, data: bytes, decoded: Decoded, task: Task, repair: Repair | None) -> FileResult:
    """As for a script, over the code cells as one module; the result is told in cells again."""
    from gradlint.notebook import NotANotebook, read_notebook

    try:
        notebook = read_notebook(decoded.text)
    except NotANotebook as error:
        return FileResult(name, (unreadable(name, 1, 1, str(error)),))
    code, source = replace(decoded, text=notebook.code, encoding="utf-8", bom=False), notebook.code.encode()
    untouched = replace(task, fix=False, annotate=None)
    if repair is not None and notebook.rewritten(notebook.code) is None:
        task, repair = untouched, None  # nobody is asked about fixes that could not be written
    result = _check(name, source, code, task, repair)
    if result.after is not None:
        new = notebook.rewritten(result.after.decode())
        if new is None:
            result = _check(name, source, code, untouched, None)
        else:
            notebook = read_notebook(new)
            result = replace(result, before=data, after=decoded.encode(new))
    cells = tuple((number, notebook.sources[number]) for number in notebook.cells)
    return replace(
        result,
        diagnostics=tuple(notebook.localized(each) for each in result.diagnostics),
        applied=result.applied,
        cells=cells if result.diagnostics else (),
    )


def _check(name: str, data: bytes, decoded: Decoded, task: Task, repair: Repair | None) -> FileResult:
    from gradlint.review import Review, repair_of

    review = Review(name, decoded.text, task)
    text, after = decoded.text, None
    applied: tuple[Diagnostic, ...] = ()
    repair = repair or repair_of(task)
    if repair is not None and decoded.faithful:
        outcome = repair(review)
        try:
            after = decoded.encode(outcome.text)
            text, applied = outcome.text, outcome.applied
        except UnicodeEncodeError:  # the encoding of the file has no form for what would be written
            pass
    found = review.found(text)
    split = review.split(text, found)
    result = FileResult(name, split.new, applied, text=text if split.new else "", held=split.held)
    if task.baseline is not None:
        result = replace(result, prints=review.prints(text, found))
    return replace(result, before=data, after=after) if applied else result


def _is_annotated(text: str) -> bool:
    """Whether a text without anything to find has suppression comments, which then are unused."""
    from gradlint.unused import holds_directives

    return holds_directives(text)


def _parses(text: str) -> bool:
    """Whether a text without anything to find is Python at all, told without the parser that the rules need."""
    import ast

    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
