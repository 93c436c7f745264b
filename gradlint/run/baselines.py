"""The baselines of a run: which one applies to which file, which entries are stale, and which one to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint.config.selection import ALWAYS_ON, Selection
from gradlint.run.task import FileResult, Job

if TYPE_CHECKING:
    from gradlint.suppression.baseline import Baseline, Entries


@dataclass
class Baselines:
    """The baselines of a run. Each is read once, when the first file that it applies to is planned."""

    target: Path | None = None
    """The baseline to write, if any."""
    _read: dict[Path, Baseline] = field(default_factory=dict)
    _of: dict[Path, Path] = field(default_factory=dict)
    _old: Baseline | None = None

    def entries(self, source: Path | None, path: Path) -> Entries | None:
        """Return what the baseline of a file's configuration accepts in the file, if there is one. Raises BaselineError."""
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
        """Read a baseline even if no file needs it, so that a broken one is always reported. Raises BaselineError."""
        if source is not None or self.target is not None:
            self.entries(source, Path())
            self._of.pop(Path(), None)

    def stale(self, jobs: Sequence[Job], results: Sequence[FileResult], roots: Sequence[Path]) -> int:
        """Return how many entries no longer occur, among those that this run can judge."""
        held = {Path(result.path): len(result.held) for result in results}
        total = 0
        for source, baseline in self._read.items():
            checked = [job for job in jobs if self._of.get(job.path) == source]
            answered = _answered(checked, results)
            total += baseline.stale(answered, roots, sum(held.get(path, 0) for path in answered))
        return total

    def write(self, jobs: Sequence[Job], results: Sequence[FileResult], roots: Sequence[Path]) -> tuple[int, int] | None:
        """Write the findings as a baseline. Return the numbers of findings and files, or None if no baseline is to be written.

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
    """Return the files that could be checked, with the rules that did not run in them."""
    from gradlint.registry import all_rules

    rules = all_rules()
    silent: dict[Selection, frozenset[str]] = {}
    for job in jobs:
        if job.task.selection not in silent:
            runs = {rule.code for rule in job.task.selection.choose(rules)}
            silent[job.task.selection] = frozenset(rule.code for rule in rules if rule.code not in runs)
    broken = {result.path for result in results if result.crash or any(d.code == ALWAYS_ON for d in result.diagnostics)}
    return {job.path: silent[job.task.selection] for job in jobs if str(job.path) not in broken}
