"""Applies the fixes that change several files, once every file has its own fixes, and says which of them are safe."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradlint.diagnostic import Applicability, Diagnostic
from gradlint.run.task import FileResult, Job, Task

MOST_ROUNDS = 25
"""Limit on the fixes that are applied one after another."""


def settled(jobs: Sequence[Job], results: Sequence[FileResult]) -> Sequence[FileResult]:
    """Return the results after all admitted fixes over several files.

    Each of them is applied in all of its files or in none. A fix that would change a file outside of the jobs is unsafe. Files
    outside of the jobs that are changed get results at the end.
    """
    if not any(each.fix is not None and each.fix.elsewhere for result in results for each in result.diagnostics):
        return results
    named = {os.path.realpath(job.path): job for job in jobs}
    marked = [_marked(each, named.keys()) for each in results]
    if any(job.data is not None for job in jobs):
        return marked  # what stdin gives is not in a file
    try:
        return _Tree(named, {os.path.realpath(each.path): each for each in marked}).fixed() or marked
    except Exception:
        import traceback  # a run that does not fail starts faster without it

        crash = traceback.format_exc(limit=-3).strip()
        return [replace(each, crash=crash) if any(map(_spreads, each.diagnostics)) else each for each in marked]


def _spreads(each: Diagnostic) -> bool:
    return each.fix is not None and bool(each.fix.elsewhere)


def _marked(result: FileResult, named: Iterable[str]) -> FileResult:
    """The result, with fixes that reach beyond the named files marked as unsafe."""
    known = frozenset(named)
    return replace(result, diagnostics=tuple(careful(each, known) for each in result.diagnostics))


def careful(each: Diagnostic, named: Collection[str]) -> Diagnostic:
    """Return the finding, with a fix that changes files beside the named ones marked as unsafe. They are real paths."""
    fix = each.fix
    outside = [part.filename for part in fix.elsewhere if part.filename not in named] if fix is not None else []
    if fix is None or not outside or fix.applicability is Applicability.UNSAFE:
        return each
    shown = ", ".join(f"`{_shown(path)}`" for path in outside)
    verb = "is" if len(outside) == 1 else "are"
    note = f"the fix is not safe: it also changes {shown}, which {verb} not among the files to check"
    return replace(each, fix=replace(fix, applicability=Applicability.UNSAFE), note=f"{each.note}; {note}" if each.note else note)


def _shown(path: str) -> str:
    below = os.path.relpath(path)
    return path if below.startswith(os.pardir) else below


class Unwritable(Exception):
    """A file that a fix changes cannot hold the new text, or cannot be read."""


@dataclass
class _Tree:
    """The files of a run while fixes over several of them are applied, by real path."""

    jobs: dict[str, Job]
    results: dict[str, FileResult]
    _stale: set[str] = field(default_factory=set)
    """Files to check again, because something that their results depend on has changed."""
    _refused: set[tuple[str, str, str]] = field(default_factory=set)

    def fixed(self) -> list[FileResult] | None:
        """Return the results after all fixes, or None if there is nothing to do or the fixes do not settle."""
        if not any(True for _ in self._waiting()):
            return None
        if self._changed:
            self._stale.update(path for path, _ in self._waiting())
        for _ in range(MOST_ROUNDS):
            while self._stale:
                self._check_again(self._stale.pop())
            path, each = next(self._waiting(), (None, None))
            if path is None or each is None:
                places = {name: place for place, name in enumerate(self.jobs)}
                return [self.results[name] for name in sorted(self.results, key=lambda one: places.get(one, len(places)))]
            try:
                self._apply(path, each)
            except Unwritable:
                self._refused.add(_key(path, each))
        return None

    @property
    def _changed(self) -> dict[str, str]:
        """The new texts so far."""
        return {path: _text(each.after) for path, each in self.results.items() if each.after is not None}

    def _waiting(self) -> Iterator[tuple[str, Diagnostic]]:
        """The findings whose fixes may be applied, with the files that they are in."""
        for path, result in self.results.items():
            task = self._task(path)
            if task is None or not task.fix:
                continue
            for each in result.diagnostics:
                fix = each.fix
                if fix is not None and fix.elsewhere and _key(path, each) not in self._refused:
                    if task.unsafe or fix.applicability is Applicability.SAFE:
                        yield path, each

    def _apply(self, path: str, each: Diagnostic) -> None:
        """Apply one fix. Raises Unwritable, and then changes nothing."""
        from gradlint.analysis.text_changes import edited

        assert each.fix is not None
        edits = {path: each.fix.edits, **{part.filename: part.edits for part in each.fix.elsewhere}}
        old = {name: self._content(name) for name in edits}
        new = {name: _encoded(old[name], edited(_text(old[name]), edits[name])) for name in edits}
        linked = {other for name in edits for other in (name, *self._result(name).together)}
        for name in edits:
            known = self._result(name)
            before = old[name] if known.before is None else known.before
            self.results[name] = replace(known, before=before, after=new[name])
        self.results[path] = replace(self.results[path], applied=(*self.results[path].applied, each))
        for name in linked:
            self.results[name] = replace(self.results[name], together=tuple(sorted(linked)))
        self._stale.update(name for name, known in self.results.items() if name in edits or self._depends(known, set(edits)))

    def _depends(self, result: FileResult, changed: set[str]) -> bool:
        return any(map(_spreads, result.diagnostics)) or not changed.isdisjoint(result.context.followed)

    def _check_again(self, path: str) -> None:
        from gradlint.run.runner import process

        known, task = self.results[path], self._task(path)
        if task is None:
            return
        data = self._content(path)
        found = process(known.path, data, task, unsaved=self._changed)
        found = _marked(found, self.jobs.keys())
        after = known.after if found.after is None else found.after
        self.results[path] = replace(
            found,
            applied=(*known.applied, *found.applied),
            before=data if known.before is None and after is not None else known.before,
            after=after,
            together=known.together,
        )
        if found.after is not None and found.after != data:
            self._stale.update(name for name, each in self.results.items() if name != path and self._depends(each, {path}))

    def _task(self, path: str) -> Task | None:
        return self.jobs[path].task if path in self.jobs else None

    def _result(self, path: str) -> FileResult:
        return self.results.get(path) or FileResult(str(self.jobs[path].path) if path in self.jobs else _shown(path))

    def _content(self, path: str) -> bytes:
        from gradlint.files.read import content

        known = self._result(path).after
        try:
            return content(Path(path)) if known is None else known
        except OSError as error:
            raise Unwritable from error


def _key(path: str, each: Diagnostic) -> tuple[str, str, str]:
    return path, each.code, each.sentence


def _text(data: bytes | None) -> str:
    from gradlint.files.decode import Decoded, decode

    found = decode(data or b"")
    if not isinstance(found, Decoded) or not found.faithful:
        raise Unwritable
    return found.text


def _encoded(data: bytes, text: str) -> bytes:
    from gradlint.files.decode import Decoded, decode

    found = decode(data)
    if not isinstance(found, Decoded) or found.refusal(text) is not None:
        raise Unwritable
    return found.encode(text)
