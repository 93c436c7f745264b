"""Checks one repository and prints its rows as JSON lines: the process that a worker starts, watches, and may kill.

    python -m gradlint.organisation.check_one < request.json

Its stdin stays open as long as the worker lives. When it closes, this process deletes its temporary folder and ends.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from gradlint.diagnostic import Diagnostic, LoopVerdict
from gradlint.organisation.engines import engine_of_imports
from gradlint.organisation.git import GitFailed, without_password
from gradlint.organisation.repository import Checkout, checkout
from gradlint.organisation.rows import DONE, FAILURE, FINDING, REPOSITORY, VERDICT, Row, plain
from gradlint.run.options import Options
from gradlint.run.plan import make_plan
from gradlint.run.runner import run
from gradlint.run.task import FileResult


def rows_of(name: str, scratch: Path, select: tuple[str, ...] | None = None) -> Iterator[Row]:
    """Yield the rows of a repository, file by file, and the row of the repository itself at the end."""
    shown = without_password(name)
    blank = Row(shown, REPOSITORY)
    files = 0
    try:
        with checkout(name, scratch) as found:
            blank = replace(blank, commit=found.commit)
            yield blank  # the commit must be known if the check is cut short
            plan = make_plan(Options((found.folder,), select=select, isolated=True))
            files = len(plan.jobs)
            for result in run(plan.jobs, 1):
                yield from _of_file(result, found, shown)
    except (GitFailed, OSError, ValueError) as error:
        yield replace(blank, state="failed", message=str(error).partition("\n")[0])
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    yield replace(blank, state=DONE, files=files, memory=peak)


def _of_file(result: FileResult, found: Checkout, repository: str) -> Iterator[Row]:
    path = os.path.relpath(result.path, found.folder)
    row = Row(repository, FINDING, found.commit, path)
    if result.crash is not None:
        yield replace(row, kind=FAILURE, state="crashed", message=result.crash.strip().splitlines()[-1])
        return
    imported = engine_of_imports(result.path) if result.diagnostics or result.loops else ""
    for loop in result.loops:
        message = loop.reason or ", ".join(loop.codes)
        verdict = "silenced" if loop.silenced else loop.answer
        yield replace(
            row, kind=VERDICT, cell=loop.cell or 0, line=loop.line, verdict=verdict, message=message, n=loop.steps,
            engine=loop.engine or "plain",
        )  # fmt: skip
    for each in result.diagnostics:
        around = _around(each, result.loops)
        yield replace(
            row, cell=each.cell or 0, line=each.span.start.row, rule=each.code, severity=each.severity.value,
            fixable="no" if each.fix is None else each.fix.applicability.value, message=each.sentence,
            n=around.steps if around is not None else 0, engine=(around.engine or "plain") if around is not None else imported,
        )  # fmt: skip


def _around(found: Diagnostic, loops: tuple[LoopVerdict, ...]) -> LoopVerdict | None:
    """Return the innermost loop around a finding."""
    row = found.span.start.row
    inside = [each for each in loops if each.cell == found.cell and each.line <= row <= each.last_line]
    return max(inside, key=lambda each: each.line, default=None)


def _end_with(parent: TextIO, scratch: Path) -> None:
    parent.read()
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Read the request from stdin, check, and print the rows."""
    request = json.loads(sys.stdin.readline())
    scratch = Path(request["scratch"])
    threading.Thread(target=_end_with, args=(sys.stdin, scratch), daemon=True).start()
    select = tuple(request["select"]) if request["select"] is not None else None
    for row in rows_of(request["repository"], scratch, select):
        print(json.dumps(plain(row)), flush=True)
    sys.stdout.flush()
    os._exit(0)  # the thread is still waiting for the worker


if __name__ == "__main__":
    main()
