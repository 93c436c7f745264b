"""Timing of a run, by stage: `--timings`. If it is off, a stage costs one look at a context variable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field

STAGES = ("start", "walk", "cache", "read", "prefilter", "ast", "parse", "model", "rules", "report")
"""In the order in which a file passes through them. Those from `ast` to `rules` are summed over all processes."""

SLOWEST = 10


@dataclass
class Timings:
    """Seconds by stage, and by file."""

    stages: dict[str, float] = field(default_factory=dict)
    files: dict[str, float] = field(default_factory=dict)
    processes: int = 1
    total: float = 0.0
    _last: float = 0.0

    @classmethod
    def begun(cls) -> Timings:
        """Start the timings of a run. What the process did before, mostly imports, counts as its start."""
        before = time.process_time()
        return cls({"start": before}, total=before, _last=time.perf_counter())

    def lap(self, stage: str | None = None) -> None:
        """Add the time since the last lap to the total, and to a stage if one is given."""
        now = time.perf_counter()
        self.total += now - self._last
        if stage is not None:
            self.add(stage, now - self._last)
        self._last = now

    def add(self, stage: str, seconds: float) -> None:
        """Add seconds to a stage."""
        self.stages[stage] = self.stages.get(stage, 0.0) + seconds

    def merge(self, other: Timings) -> None:
        """Add what another process has measured."""
        for stage, seconds in other.stages.items():
            self.add(stage, seconds)
        self.files.update(other.files)

    def slowest(self) -> list[tuple[str, float]]:
        """Return the files that took longest, with their seconds."""
        return sorted(self.files.items(), key=lambda each: -each[1])[:SLOWEST]

    def lines(self) -> Iterator[str]:
        """Yield the timings as a table for people."""
        from gradlint.report.lines import safe

        processes = f", {self.processes} processes" if self.processes > 1 else ""
        yield f"{'total':<10} {self.total:8.3f} s{processes}"
        for stage in STAGES:
            yield f"{stage:<10} {self.stages.get(stage, 0.0):8.3f} s"
        if self.files:
            yield "slowest files:"
            yield from (f"{seconds:8.3f} s  {safe(name)}" for name, seconds in self.slowest())

    def to_json(self) -> str:
        """Return the timings as one JSON object."""
        import json

        stages = {stage: round(self.stages.get(stage, 0.0), 6) for stage in STAGES}
        slowest = [{"filename": name, "seconds": round(seconds, 6)} for name, seconds in self.slowest()]
        return json.dumps({"total": round(self.total, 6), "processes": self.processes, "stages": stages, "slowest": slowest})


_current: ContextVar[Timings | None] = ContextVar("gradlint_timings", default=None)


@contextmanager
def measuring(timings: Timings | None) -> Iterator[None]:
    """Count what runs inside towards these timings."""
    token = _current.set(timings)
    try:
        yield
    finally:
        _current.reset(token)


def stage(name: str) -> AbstractContextManager[None]:
    """Count what runs inside towards a stage, if anybody is measuring. Stages do not nest."""
    timings = _current.get()
    return nullcontext() if timings is None else _measured(timings, name)


@contextmanager
def _measured(timings: Timings, name: str) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        timings.add(name, time.perf_counter() - begun)
