"""Accepts findings for now: writes the baseline, and reports what the baseline, new ignore comments
and a change hold back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gradlint.config.selection import ALWAYS_ON
from gradlint.run.plan import Plan
from gradlint.run.task import FileResult


def conclude(plan: Plan, results: Sequence[FileResult]) -> tuple[list[str], Sequence[FileResult]]:
    """Write the baseline if the run asks for one. Return the closing lines of the report, and the results it covers.

    Once a baseline is written, only syntax errors are left in the results, because a baseline cannot accept those. Raises
    BaselineError.
    """
    options = plan.options
    lines: list[str] = []
    written = plan.baselines.write(plan.jobs, results, options.paths)
    if written is not None:
        lines.extend(told_of_baseline(plan.baselines.target or Path(), *written))
        results = [replace(each, diagnostics=tuple(d for d in each.diagnostics if d.code == ALWAYS_ON)) for each in results]
    else:
        lines.extend(told_of_change(results, plan))
        lines.extend(told(results, plan.baselines.stale(plan.jobs, results, options.paths)))
    if options.add_ignore:
        lines.extend(told_of_comments(results))
    return ([] if options.quiet else lines), results


def told(results: Sequence[FileResult], stale: int) -> Iterator[str]:
    """Yield the closing lines about findings that the baseline holds back, and about its stale entries."""
    from gradlint.report.lines import count

    held = sum(len(result.held) for result in results)
    if held:
        yield f"{count(held, 'finding is', 'findings are')} held back by the baseline."
    if stale:
        entries = f"{count(stale, 'entry', 'entries')} of the baseline no longer {'occurs' if stale == 1 else 'occur'}"
        yield f"{entries}; rewrite it with `--write-baseline` to drop {'it' if stale == 1 else 'them'}."


def told_of_change(results: Sequence[FileResult], plan: Plan) -> Iterator[str]:
    """Yield the closing line about findings that the change does not reach, or about a change without anything to check."""
    from gradlint.report.lines import count, safe

    if plan.change is None:
        return
    outside = sum(result.outside for result in results)
    since = safe(plan.change.since.words)
    if outside:
        yield f"{count(outside, 'finding is', 'findings are')} outside of the change {since}."
    elif not plan.jobs and plan.found.unchanged:
        yield f"No Python file or notebook has changed {since}."


def told_of_baseline(path: Path, findings: int, files: int) -> Iterator[str]:
    """Yield the closing line about a baseline that was written."""
    from gradlint.report.lines import count, safe

    where = f" of {count(files, 'file', 'files')}" if findings else ""
    yield f"Wrote {count(findings, 'finding', 'findings')}{where} to {safe(str(path))}."


def told_of_comments(results: Sequence[FileResult]) -> Iterator[str]:
    """Yield the closing lines about ignore comments that were written."""
    from gradlint.report.lines import count

    changed = [result for result in results if result.after is not None and result.after != result.before]
    silenced = sum(len(result.applied) for result in changed)
    where = f" in {count(len(changed), 'file', 'files')}" if changed else ""
    yield f"Wrote ignore comments for {count(silenced, 'finding', 'findings')}{where}."
    left = sum(each.code != ALWAYS_ON for result in results for each in result.diagnostics)
    if left:
        yield f"{count(left, 'finding', 'findings')} cannot be silenced by a comment."
