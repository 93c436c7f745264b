"""Runs of whole processes, interleaved, and what is measured inside of one."""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One run of a process: seconds of wall clock and of processor time, and the most memory of one process in MiB."""

    seconds: float
    processor: float
    memory: float


@dataclass
class Command:
    """A command line, where it runs, and what is done before each run without being measured."""

    arguments: Sequence[str]
    folder: Path
    before: Callable[[], None] | None = None
    runs: list[Run] = field(default_factory=list)

    def run(self) -> None:
        """Run once, and keep the measurement; findings are no failure."""
        if self.before is not None:
            self.before()
        self.runs.append(_measured(self.arguments, self.folder))

    @property
    def seconds(self) -> float:
        return statistics.median(each.seconds for each in self.runs)

    @property
    def processor(self) -> float:
        return statistics.median(each.processor for each in self.runs)

    @property
    def memory(self) -> float:
        return max(each.memory for each in self.runs)


_CHILD = """
import resource, subprocess, sys, time
begun = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
seconds = time.perf_counter() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / (2**20 if sys.platform == "darwin" else 1024), done.returncode)
"""


def _measured(arguments: Sequence[str], folder: Path) -> Run:
    """A process of its own counts the time and the memory of the command and of its workers, and of nothing else."""
    # What is installed is compiled; with this variable set, a checkout would be compiled anew in every run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", _CHILD, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, processor, memory, status = map(float, done.stdout.split())
    if status not in (0, 1):
        raise RuntimeError(f"{' '.join(arguments)} ended with status {status:.0f}")
    return Run(seconds, processor, memory)


def interleave(commands: Mapping[str, Command], rounds: int) -> None:
    """Run each command once a round, so that what else the machine does falls on all alike."""
    for _ in range(rounds):
        for command in commands.values():
            command.run()


# In one process


@dataclass(frozen=True)
class Analysis:
    """Seconds of processor time, summed over the candidate files of a tree."""

    files: int
    parse: float
    model: float
    rules: float

    @property
    def ratio(self) -> float:
        return (self.model + self.rules) / self.parse


def analysis(tree: Path) -> Analysis:
    """What LibCST's parse, the model and the rules take over the parts of files that are read at all."""
    from gradlint.analysis.engine import examine
    from gradlint.files.decode import Decoded, decode
    from gradlint.registry import all_rules
    from gradlint.relevance.prefilter import worth_reading
    from gradlint.timings import Timings, measuring

    timings, files = Timings(), 0
    for path in sorted(tree.rglob("*.py")):
        data = path.read_bytes()
        decoded = decode(data) if worth_reading(data) else None
        if isinstance(decoded, Decoded):
            gc.collect()
            gc.disable()
            with measuring(timings):
                examine(decoded.text, path.name, all_rules())
            gc.enable()
            files += 1
    return Analysis(files, *(timings.stages.get(name, 0.0) for name in ("parse", "model", "rules")))


def per_line(path: Path, rounds: int) -> float:
    """Microseconds of processor time a line, as the best of some rounds."""
    from gradlint.analysis.engine import analyze
    from gradlint.registry import all_rules

    text = path.read_text(encoding="utf-8")
    best = float("inf")
    for number in range(rounds):
        fresh = f"{text}# {number}\n"  # nothing is remembered from the round before
        gc.collect()
        gc.disable()  # as in every run
        begun = time.process_time()
        analyze(fresh, path.name, all_rules())
        best = min(best, time.process_time() - begun)
        gc.enable()
    return best / text.count("\n") * 1e6


def machine() -> str:
    """What the figures were measured on."""
    import platform

    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        rows = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((row.partition(":")[2].strip() for row in rows if row.startswith("model name")), name)
    busy = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{platform.system()} {platform.machine()}, {processors} cores ({name}), Python {platform.python_version()}{busy}"
