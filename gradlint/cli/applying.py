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

    changed = [result for result in results if result.together or _is_new(result)]
    sweep(dict.fromkeys(Path(os.path.realpath(result.path)).parent for result in changed))
    leading_out = _leading_out(plan)
    failed = {id(each) for group in _groups(changed) if not _written(group, leading_out) for each in group}
    told = [replace(each, applied=(), before=None, after=None) if id(each) in failed else each for each in results]
    return told, bool(failed)


def _emitted(results: Sequence[FileResult], piped: bytes) -> bool:
    try:
        emit_bytes(next((result.after for result in results if result.after is not None), piped))
    except OSError as error:
        lost(error)
        return False
    return True


def _is_new(result: FileResult) -> bool:
    return result.after is not None and result.after != result.before


def _groups(changed: Sequence[FileResult]) -> list[list[FileResult]]:
    """The results that are written all or none, in the order of their first files."""
    groups: dict[object, list[FileResult]] = {}
    for each in changed:
        groups.setdefault(each.together or each.path, []).append(each)
    return list(groups.values())


def _written(group: Sequence[FileResult], leading_out: frozenset[str]) -> bool:
    from gradlint.files.write import NewContent, Unwritten, write_all

    aside = f" (so {_listed(group)} stay as they are, since a fix changes all of them)" if len(group) > 1 else ""
    for result in group:
        if result.path in leading_out:
            where = os.path.realpath(result.path)
            complain(
                f"{result.path}: not written: it links to {where}, which is not among the files to check; "
                f"name that file to fix it{aside}"
            )
            return False
    try:
        write_all([NewContent(Path(each.path), each.after or b"", each.before) for each in group])
    except Unwritten as error:
        complain(f"{error.path}: cannot be written: {error}{aside}")
        return False
    return True


def _listed(group: Sequence[FileResult]) -> str:
    *first, last = [each.path for each in group]
    return f"{', '.join(first)} and {last}"


def _leading_out(plan: Plan) -> frozenset[str]:
    """Return the links that a walk found and that lead out of the folders it was given."""
    homes = [Path(os.path.realpath(path)) for path in plan.options.paths]
    links = (target.path for target in plan.found.targets if not target.named and target.path.is_symlink())
    return frozenset(str(link) for link in links if not any(home in Path(os.path.realpath(link)).parents for home in homes))
