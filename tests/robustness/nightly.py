"""The long run: every source of texts, over processes, counted; what fails is reduced and written to a folder."""

from __future__ import annotations

import hashlib
import os
import signal
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType

from gradlint.analysis.engine import examine
from gradlint.analysis.source import read_whole
from gradlint.relevance.prefilter import worth_reading

from .files import judge_file
from .laws import CORE, Broken, Law, crash, judge
from .mutate import mutant
from .shrink import reduce
from .sources import broken, mutated_notebook, spliced, text_of
from .trial import RULES, Trial, parsed
from .twins import TWINS

SECONDS = 120
"""How long one text may take before it is told as slow."""
CHUNK = 25
"""Texts that a process takes at a time."""


@dataclass(frozen=True)
class Job:
    """A text to make and to judge: a file as it is, or something made of it with a seed."""

    kind: str
    path: Path | None
    seed: str
    text: str = ""
    twins: bool = False


@dataclass(frozen=True)
class Verdict:
    """What came of one job; `data` is kept where a law is broken."""

    job: Job
    parsed: bool = False
    findings: int = 0
    fixes: int = 0
    changed: bool = False
    broken: tuple[Broken, ...] = ()
    data: bytes = b""


@dataclass
class Counts:
    """The printed table: one row a kind of text."""

    rows: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        row = self.rows.setdefault(verdict.job.kind, Counter())
        row["texts"] += 1
        row["not Python"] += not verdict.parsed
        row["with findings"] += verdict.findings > 0
        row["findings"] += verdict.findings
        row["changed"] += verdict.changed
        row["fixes"] += verdict.fixes
        row["crashes"] += any(b.law == "nothing_crashes" for b in verdict.broken)
        row["other failures"] += any(b.law != "nothing_crashes" for b in verdict.broken)
        if verdict.broken:
            self.failures.append(verdict)

    @property
    def total(self) -> int:
        return sum(row["texts"] for row in self.rows.values())

    def lines(self) -> Iterator[str]:
        columns = ("texts", "not Python", "with findings", "findings", "changed", "fixes", "crashes", "other failures")
        yield f"{'':<22}" + "".join(f"{name:>15}" for name in columns)
        total: Counter[str] = Counter()
        for kind, row in self.rows.items():
            total += row
            yield f"{kind:<22}" + "".join(f"{row[name]:>15,}" for name in columns)
        yield f"{'all':<22}" + "".join(f"{total[name]:>15,}" for name in columns)


class Slow(Exception):
    """A text took longer than SECONDS."""


@cache
def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def made(job: Job) -> bytes:
    """The bytes that a job is about."""
    random = Random(job.seed)
    if job.kind.startswith("generated"):
        return (spliced(job.text, random) if "spliced" in job.kind else job.text).encode("utf-8", "replace")
    assert job.path is not None
    data = _bytes(job.path)
    if job.kind == "mutants":
        text = text_of(data)
        return mutant(text, random).encode("utf-8", "replace") if text else data
    if job.kind == "broken bytes":
        return broken(data, random)
    return mutated_notebook(data, random) if job.kind == "mutated notebooks" else data


def run(job: Job) -> Verdict:
    """Make a text and judge it; never raises."""
    signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = made(job)
            return _judged(job, data)
    except Slow as error:
        return Verdict(job, broken=(Broken("slow", "slow", str(error)),))
    except Exception as error:
        return Verdict(job, broken=(crash(error),))
    finally:
        signal.alarm(0)


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise Slow(f"more than {SECONDS} seconds")


def _judged(job: Job, data: bytes) -> Verdict:
    name = "trial.ipynb" if "notebook" in job.kind else "trial.py"
    text = text_of(data) if name.endswith(".py") and job.kind != "broken bytes" else None
    if text is not None and worth_reading(data):
        trial = Trial(text)
        wrong = tuple(judge(trial, laws_for(job)))
        codes = [] if any(b.law == "nothing_crashes" for b in wrong) else [e.diagnostic.code for e in trial.found]
        fixes, changed = (len(trial.fixed[0].applied), trial.output != text) if codes else (0, False)
        return Verdict(
            job, "GRD000" not in codes, len(codes) - codes.count("GRD000"), fixes, changed, wrong, data if wrong else b""
        )
    told, result = judge_file(name, data)
    if text is not None and job.twins:
        told += _read_in_vain(text)
    found, applied = (result.diagnostics, result.applied) if result else ((), ())
    bad = any(d.code == "GRD000" for d in found)
    return Verdict(job, not bad, len(found) + len(applied) - bad, len(applied), bool(applied), tuple(told), data if told else b"")


def laws_for(job: Job) -> Sequence[Law]:
    return (*CORE, *TWINS) if job.twins else CORE


def _read_in_vain(text: str) -> Iterator[Broken]:
    """A text that the prefilter passes over holds nothing for the plain path either."""
    for each in examine(text, "trial.py", RULES, read_whole) if parsed(text) is not None else ():
        if each.diagnostic.code != "GRD000":
            yield Broken("prefilter", each.diagnostic.code, f"{each.diagnostic.code}: the prefilter passes over it")


def run_all(jobs: Sequence[Job], workers: int) -> Iterator[Verdict]:
    """Every job over processes; where a process dies, its jobs are run one by one, so that the one at fault is named."""
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    while chunks:
        left = []
        pool = ProcessPoolExecutor(workers)
        try:
            futures = {pool.submit(_run_chunk, chunk): chunk for chunk in chunks}
            for future in as_completed(futures):
                try:
                    yield from future.result()
                except BrokenProcessPool:
                    left.append(futures[future])
        finally:
            pool.shutdown(cancel_futures=True)
        if left:
            yield from _one_by_one(left[0])
        chunks = left[1:]


def _run_chunk(jobs: Sequence[Job]) -> list[Verdict]:
    return [run(job) for job in jobs]


def _one_by_one(jobs: Iterable[Job]) -> Iterator[Verdict]:
    for job in jobs:
        with ProcessPoolExecutor(1) as pool:
            try:
                yield pool.submit(run, job).result()
            except BrokenProcessPool:
                yield Verdict(
                    job, broken=(Broken("nothing_crashes", "process", "the process was ended by the system"),), data=made(job)
                )


def write_raw(verdict: Verdict, broken: Broken, folder: Path) -> Path:
    """The text as it was when it broke a law for the first time, in case the run does not end."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "ipynb" if "notebook" in verdict.job.kind else "py"
    name = hashlib.sha256(repr((broken.law, broken.key)).encode()).hexdigest()[:8]
    path = folder / f"{broken.law}-{name}.{suffix}"
    path.write_bytes(verdict.data)
    return path


def write_failures(failures: Sequence[Verdict], folder: Path, limit: int) -> Iterator[str]:
    """One reduced text for each law and key; yields what is told of each."""
    firsts: dict[tuple[str, str], tuple[Verdict, Broken]] = {}
    often: Counter[tuple[str, str]] = Counter()
    for verdict in sorted(failures, key=lambda v: len(v.data)):
        for each in {(b.law, b.key): b for b in verdict.broken}.values():
            often[each.law, each.key] += 1
            firsts.setdefault((each.law, each.key), (verdict, each))
    for number, (kind, count) in enumerate(often.most_common()):
        verdict, each = firsts[kind]
        data = verdict.data
        if number < limit and each.key != "process" and (text := text_of(data)) and "notebook" not in verdict.job.kind:
            data = reduce(text, lambda t, b=each, j=verdict.job: _still(t, b, j)).encode("utf-8", "replace")  # type: ignore[misc]
        path = write_raw(replace(verdict, data=data), each, folder)
        origin = f"{verdict.job.path or 'generated'} with seed {verdict.job.seed}"
        yield f"{count:>6}  {each.law}: {each.key}"
        yield f"        {each.detail.strip().splitlines()[-1]}"
        yield f"        {path}, from {verdict.job.kind}: {origin}"


def _still(text: str, expected: Broken, job: Job) -> bool:
    """Whether a shorter text breaks the same law in the same way, and is as much Python as before."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return False
    if expected.law == "nothing_crashes" or expected.law == "bytes":
        wrong = [*judge_file("trial.py", data)[0], *judge(Trial(text))]
    elif expected.law == "prefilter":
        wrong = list(_read_in_vain(text))
    else:
        wrong = list(judge(Trial(text), [law for law in laws_for(job) if law.__name__ == expected.law]))
    return any((b.law, b.key) == (expected.law, expected.key) for b in wrong)


def processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
