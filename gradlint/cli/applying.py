"""Writes fixed text to stdout if it came from stdin, or else to the files, unless they changed since they were checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gradlint.cli.terminal import complain, emit_bytes, lost
from gradlint.run.plan import Plan
from gradlint.run.task import FileResult


def apply(results: Sequence[FileResult], plan: Plan) -> tuple[Sequence[FileResult], bool]:
    """Write the fixes. Return the results, without the fixes that could not be written, and whether any could not."""
    if plan.piped is not None:
        return results, not _emitted(results, plan.piped)
    from gradlint.files.write import sweep

    changed = [result for result in results if result.after is not None and result.after != result.before]
    sweep(dict.fromkeys(Path(os.path.realpath(result.path)).parent for result in changed))
    leading_out = _leading_out(plan)
    failed = {id(result) for result in changed if not _written(result, leading_out)}
    told = [replace(each, applied=(), before=None, after=None) if id(each) in failed else each for each in results]
    return told, bool(failed)


def _emitted(results: Sequence[FileResult], piped: bytes) -> bool:
    try:
        emit_bytes(next((result.after for result in results if result.after is not None), piped))
    except OSError as error:
        lost(error)
        return False
    return True


def _written(result: FileResult, leading_out: frozenset[str]) -> bool:
    from gradlint.files.write import write_atomically

    if result.path in leading_out:
        where = os.path.realpath(result.path)
        complain(
            f"{result.path}: not written: it links to {where}, which is not among the files to check; name that file to fix it"
        )
        return False
    try:
        write_atomically(Path(result.path), result.after or b"", result.before)
    except OSError as error:
        complain(f"{result.path}: cannot be written: {error.strerror or error}")
        return False
    return True


def _leading_out(plan: Plan) -> frozenset[str]:
    """Return the links that a walk found and that lead out of the folders it was given."""
    homes = [Path(os.path.realpath(path)) for path in plan.options.paths]
    links = (target.path for target in plan.found.targets if not target.named and target.path.is_symlink())
    return frozenset(str(link) for link in links if not any(home in Path(os.path.realpath(link)).parents for home in homes))
