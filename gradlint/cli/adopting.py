"""What a run accepts for now: its baselines, the comments that it writes, and the lines that tell of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint.config.load import ConfigError
from gradlint.config.selection import ALWAYS_ON, Selection
from gradlint.run.runner import FileResult, Job

if TYPE_CHECKING:
    from gradlint.run.plan import Options, Plan
    from gradlint.suppression.baseline import Baseline, Entries

_APART = {
    "--ask": ("--fix", "--fix-only", "--diff", "--add-ignore", "--write-baseline", "--statistics", "--watch", "--output-file"),
    "--watch": ("--diff", "--add-ignore", "--write-baseline", "--show-files", "--show-settings"),
    "--add-ignore": ("--fix", "--fix-only", "--diff", "--show-fixes", "--write-baseline"),
    "--write-baseline": ("--diff", "--fix-only"),
}
"""What cannot be done in one run."""


def require_compatible(options: Options) -> None:
    """Raises ConfigError where options contradict each other."""
    given = {
        "--ask": options.ask,
        "--watch": options.watch,
        "--add-ignore": options.add_ignore,
        "--write-baseline": options.write_baseline is not None,
        "--fix": options.fixing,
        "--fix-only": options.fix_only,
        "--show-fixes": options.show_fixes,
        "--diff": options.diff,
        "--statistics": options.statistics,
        "--show-files": options.show_files,
        "--show-settings": options.show_settings,
        "--output-file": options.output_file is not None,
    }
    for one, others in _APART.items():
        for other in others:
            if given[one] and given[other]:
                raise ConfigError(f"{one} cannot be used with {other}")
    for one in ("--ask", "--watch", "--write-baseline"):
        if given[one] and options.from_stdin:
            raise ConfigError(f"{one} cannot be used with stdin")
    if options.reason is not None:
        from gradlint.suppression.add_ignore import is_reason

        if not options.add_ignore:
            raise ConfigError("--reason goes with --add-ignore")
        if not is_reason(options.reason):
            raise ConfigError("--reason must be one line without `#`, `[` and `]`")


@dataclass
class Baselines:
    """The baselines of a run: each is read once, when the first file that it is for is planned."""

    target: Path | None = None
    """Where a baseline is to be written."""
    _read: dict[Path, Baseline] = field(default_factory=dict)
    _of: dict[Path, Path] = field(default_factory=dict)
    _old: Baseline | None = None

    def entries(self, source: Path | None, path: Path) -> Entries | None:
        """What is accepted in a file by the baseline of its configuration, if any. Raises BaselineError."""
        if source is None and self.target is None:
            return None
        from gradlint.suppression.baseline import Baseline, read_baseline, to_renew

        if self.target is not None and self._old is None:
            self._old = to_renew(self.target)
        if source is None:
            return ()
        if source not in self._read:
            written = self.target is not None and source.resolve() == self.target.resolve()
            self._read[source] = Baseline(source.parent) if written else read_baseline(source)
        self._of[path] = source
        return self._read[source].of(path)

    def require(self, source: Path | None) -> None:
        """Read a baseline that no file may need, so that a broken one is told in any case. Raises BaselineError."""
        if source is not None or self.target is not None:
            self.entries(source, Path())
            self._of.pop(Path(), None)

    def stale(self, jobs: Sequence[Job], results: Sequence[FileResult], roots: Sequence[Path]) -> int:
        """How many entries no longer occur, of those that the run answers for."""
        held = {Path(result.path): len(result.held) for result in results}
        total = 0
        for source, baseline in self._read.items():
            checked = [job for job in jobs if self._of.get(job.path) == source]
            answered = _answered(checked, results)
            total += baseline.stale(answered, roots, sum(held.get(path, 0) for path in answered))
        return total

    def write(self, jobs: Sequence[Job], results: Sequence[FileResult], roots: Sequence[Path]) -> tuple[int, int] | None:
        """Write what was found as a baseline: the numbers of findings and of files; None where none is to be written.

        Raises BaselineError.
        """
        if self.target is None:
            return None
        from gradlint.suppression.baseline import to_renew, write_baseline

        found = {Path(result.path): result.prints for result in results}
        renewed = (self._old or to_renew(self.target)).renewed(found, _answered(jobs, results), roots)
        write_baseline(self.target, renewed)
        return renewed.size, len(renewed.files)


def _answered(jobs: Sequence[Job], results: Sequence[FileResult]) -> dict[Path, frozenset[str]]:
    """The files that could be checked, with the rules that did not run in them."""
    from gradlint.registry import all_rules

    rules = all_rules()
    silent: dict[Selection, frozenset[str]] = {}
    for job in jobs:
        if job.task.selection not in silent:
            runs = {rule.code for rule in job.task.selection.choose(rules)}
            silent[job.task.selection] = frozenset(rule.code for rule in rules if rule.code not in runs)
    broken = {result.path for result in results if result.crash or any(d.code == ALWAYS_ON for d in result.diagnostics)}
    return {job.path: silent[job.task.selection] for job in jobs if str(job.path) not in broken}


def conclude(plan: Plan, results: Sequence[FileResult]) -> tuple[list[str], Sequence[FileResult]]:
    """Write the baseline if one is to be written; what the report closes with, and the results that it is about.

    Once all findings stand in a baseline, only what cannot be accepted is left of them. Raises BaselineError.
    """
    options = plan.options
    lines: list[str] = []
    written = plan.baselines.write(plan.jobs, results, options.paths)
    if written is not None:
        lines.extend(told_of_baseline(plan.baselines.target or Path(), *written))
        results = [replace(each, diagnostics=tuple(d for d in each.diagnostics if d.code == ALWAYS_ON)) for each in results]
    else:
        lines.extend(told(results, plan.baselines.stale(plan.jobs, results, options.paths)))
    if options.add_ignore:
        lines.extend(told_of_comments(results))
    return ([] if options.quiet else lines), results


def told(results: Sequence[FileResult], stale: int) -> Iterator[str]:
    """What the report closes with about what is accepted."""
    from gradlint.report.lines import count

    held = sum(len(result.held) for result in results)
    if held:
        yield f"{count(held, 'finding is', 'findings are')} held back by the baseline."
    if stale:
        entries = f"{count(stale, 'entry', 'entries')} of the baseline no longer {'occurs' if stale == 1 else 'occur'}"
        yield f"{entries}; write it anew with `--write-baseline` to drop {'it' if stale == 1 else 'them'}."


def told_of_baseline(path: Path, findings: int, files: int) -> Iterator[str]:
    """What the report closes with about a baseline that was written."""
    from gradlint.report.lines import count, safe

    where = f" of {count(files, 'file', 'files')}" if findings else ""
    yield f"Wrote {count(findings, 'finding', 'findings')}{where} to {safe(str(path))}."


def told_of_comments(results: Sequence[FileResult]) -> Iterator[str]:
    """What the report closes with about the comments that were written."""
    from gradlint.report.lines import count

    changed = [result for result in results if result.after is not None and result.after != result.before]
    silenced = sum(len(result.applied) for result in changed)
    where = f" in {count(len(changed), 'file', 'files')}" if changed else ""
    yield f"Wrote ignore comments for {count(silenced, 'finding', 'findings')}{where}."
    left = sum(each.code != ALWAYS_ON for result in results for each in result.diagnostics)
    if left:
        yield f"{count(left, 'finding', 'findings')} cannot be silenced by a comment."
