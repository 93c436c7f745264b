"""Checks files in this process or in several. A worker takes the bytes of a file and returns diagnostics and new bytes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gradlint.collecting import without_collecting
from gradlint.diagnostic import Diagnostic, unreadable
from gradlint.files.decode import Decoded, Undecodable, decode
from gradlint.relevance.prefilter import mentions_suppression
from gradlint.run.candidates import Candidate, Intake, Pending
from gradlint.run.parser_import import import_parser
from gradlint.run.process_leader import Instructions
from gradlint.run.process_pool import Pool
from gradlint.run.task import FileResult, Job, Task

if TYPE_CHECKING:
    from gradlint.changes.lines import Lines
    from gradlint.files.notebook import Notebook
    from gradlint.run.cache import Cache
    from gradlint.run.review import Repair
    from gradlint.timings import Timings

Progress = Callable[[Iterator[FileResult], int], Iterator[FileResult]]
"""Passes results on as they come, and shows how many of the total are done."""
POOL_FROM = 300_000
"""Total size of candidate files, in bytes, from which a process pool is worth its start-up time."""

MANY = 1500
"""Number of files to read from which a pool is always worth it, because reading overlaps with its start."""


def run(
    jobs: Iterable[Job],
    workers: int | None = None,
    progress: Progress | None = None,
    cache: Cache | None = None,
    timings: Timings | None = None,
) -> Iterator[FileResult]:
    """Do every job, and yield the results in the order of the jobs. This writes only to the cache."""
    intake = Intake(cache, timings)
    pool = Pool(Instructions(_timed if timings is not None else _untimed, _prepare, _lost), workers)
    try:
        looked_up = intake.look_up(jobs)
        pool.pays_from = 0 if sum(isinstance(each, Pending) for each in looked_up) >= MANY else POOL_FROM
        taken: list[Candidate | FileResult] = []
        for each in intake.take(looked_up):
            taken.append(each)
            if isinstance(each, Candidate):
                pool.give(each, len(each.data))
        results = _results(taken, pool.results(), timings)
        yield from results if progress is None else progress(results, len(taken))
    finally:
        pool.close()
        if timings is not None:
            timings.processes += pool.processes
    if cache is not None:
        cache.save()


Timed = tuple[FileResult, "Timings | None"]


def _results(taken: Sequence[Candidate | FileResult], done: Iterator[Timed], timings: Timings | None) -> Iterator[FileResult]:
    """Yield known and new results in the order of the jobs, and remember the new ones."""
    for each in taken:
        if isinstance(each, FileResult):
            yield each
            continue
        result, spent = next(done)
        if timings is not None and spent is not None:
            timings.merge(spent)
        if each.store is not None and each.digest and _can_be_kept(result, each.job.task):
            each.store.keep(each.digest, result.diagnostics, result.loops, result.context)
        yield result


def _can_be_kept(result: FileResult, task: Task) -> bool:
    if result.crash is not None:
        return False
    if task.baseline is not None or task.changed is not None:
        return not (result.diagnostics or result.prints or result.outside)
    return not result.cells


def _prepare() -> None:
    """Import what a process needs before its first file."""
    import gc

    import_parser()
    import gradlint.registry
    import gradlint.run.review

    gradlint.registry.all_rules()
    gc.freeze()


def _lost(candidate: Candidate) -> Timed:
    return FileResult(str(candidate.job.path), crash="the system ended the process that checked this file"), None


def _untimed(candidate: Candidate) -> Timed:
    return _guarded(candidate), None


def _timed(candidate: Candidate) -> Timed:
    from gradlint.timings import Timings, measuring

    timings, begun = Timings(), time.perf_counter()
    with measuring(timings):
        result = _guarded(candidate)
    timings.files[result.path] = time.perf_counter() - begun
    return result, timings


def _guarded(candidate: Candidate) -> FileResult:
    name, data, task = str(candidate.job.path), candidate.data, candidate.job.task
    if isinstance(data, str):
        return FileResult(name, (unreadable(name, 1, 1, f"the file cannot be read: {data}"),))
    try:
        with without_collecting():
            if candidate.barren and _is_python(data):
                return FileResult(name)
            return process(name, data, task)
    except RecursionError:
        return FileResult(name, (unreadable(name, 1, 1, "the code is nested too deeply to be checked"),))
    except Exception:
        import traceback

        return FileResult(name, crash=traceback.format_exc(limit=-3).strip())


def process(
    name: str, data: bytes, task: Task, repair: Repair | None = None, unsaved: Mapping[str, str] | None = None
) -> FileResult:
    """Check the bytes of one file, and fix them with `repair`, or else as the task says.

    `unsaved` are new texts of other files, by real path.
    """
    decoded = decode(data)
    if isinstance(decoded, Undecodable):
        return FileResult(name, (unreadable(name, decoded.row, 1, decoded.message),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's parser warns about the checked code
        if name.endswith(".ipynb"):
            return _check_notebook(name, data, decoded, task, repair)
        annotated = mentions_suppression(data) and _is_annotated(decoded.text)
        if not annotated and _holds_nothing(decoded.text, task):
            return FileResult(name)
        return _check(name, data, decoded, task, repair, unsaved=unsaved)


def _check_notebook(name: str, data: bytes, decoded: Decoded, task: Task, repair: Repair | None) -> FileResult:
    """Check the code cells as one module, like a script, and map the result back to cells."""
    from gradlint.files.notebook import NotANotebook, Unwritable, read_notebook

    try:
        notebook = read_notebook(decoded.text)
    except NotANotebook as error:
        return FileResult(name, (unreadable(name, 1, 1, str(error)),))
    code, source = replace(decoded, text=notebook.code, encoding="utf-8", bom=False), notebook.code.encode()
    if task.changed is not None:
        task = replace(task, changed=_in_cells(task.changed, notebook))
    result = _check(name, source, code, task, repair, notebook.refusal)
    if result.after is not None:
        try:
            new = notebook.rewritten(result.after.decode())
        except Unwritable as error:
            reason, untouched = str(error), replace(task, fix=False, annotate=None)
            result = _check(name, source, code, untouched, None, lambda _: reason)
        else:
            notebook = read_notebook(new)
            result = replace(result, before=data, after=decoded.encode(new))
    cells = tuple((number, notebook.sources[number]) for number in notebook.cells)
    return replace(
        result,
        diagnostics=tuple(notebook.localized(each) for each in result.diagnostics),
        loops=tuple(notebook.localized_verdict(each) for each in result.loops),
        applied=result.applied,
        cells=cells if result.diagnostics else (),
    )


def _in_cells(changed: Lines, notebook: Notebook) -> Lines:
    """Return the rows of a notebook's module for changed lines of its file."""
    from gradlint.changes.lines import rows_of_cells
    from gradlint.report.cells import source_lines

    return rows_of_cells(changed, dict(zip(notebook.cells, notebook.starts, strict=True)), source_lines(notebook.text))


def _check(
    name: str,
    data: bytes,
    decoded: Decoded,
    task: Task,
    repair: Repair | None,
    refusal: Callable[[str], str | None] | None = None,
    unsaved: Mapping[str, str] | None = None,
) -> FileResult:
    import_parser()
    from gradlint.run.review import Review, repair_of

    review = Review(name, decoded.text, task, refusal or decoded.refusal, unsaved or {})
    text, after = decoded.text, None
    applied: tuple[Diagnostic, ...] = ()
    repair = repair or repair_of(task)
    if repair is not None and decoded.faithful:
        outcome = repair(review)
        try:
            after = decoded.encode(outcome.text)
            text, applied = outcome.text, outcome.applied
        except UnicodeEncodeError:  # the encoding of the file lacks a character of the new text
            pass
    found = review.found(text)
    split = review.split(text, found)
    loops = review.loops(text, (*split.new, *split.outside))
    result = FileResult(name, split.new, applied, loops=loops, text=text if split.new else "", held=split.held)
    result = replace(result, outside=len(split.outside), context=review.context)
    if task.baseline is not None:
        result = replace(result, prints=review.prints(text, found))
    return replace(result, before=data, after=after) if applied else result


def _is_annotated(text: str) -> bool:
    """Whether a text without findings has suppression comments, which are unused then."""
    from gradlint.suppression.unused import holds_directives

    return holds_directives(text)


def _is_python(data: bytes) -> bool:
    """Whether an irrelevant script parses, so that there is nothing to report. Imports no more than that needs."""
    from gradlint.files.parse import MOST_READ, parse, tree_is_deep

    decoded = decode(data)
    if not isinstance(decoded, Undecodable) and len(decoded.text) > MOST_READ:
        return True  # at such a size, nobody needs to know whether it is Python
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return not isinstance(decoded, Undecodable) and not tree_is_deep(decoded.text, parse(decoded.text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _holds_nothing(text: str, task: Task) -> bool:
    """Whether a text has no finding and no loop to judge, decided without the parser that the rules need."""
    from gradlint.relevance.needed_words import BACKWARD
    from gradlint.relevance.programs import may_lead, may_update
    from gradlint.relevance.relevant_rows import kept_rows, rows_of_loops

    taught = task.names.taught(task.max_size)
    try:
        if kept_rows(text, taught) or (task.follow and (may_lead(text) or may_update(text))):
            return False
        return not (BACKWARD.shows(text.encode("utf-8", "surrogatepass")) and rows_of_loops(text, taught))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
