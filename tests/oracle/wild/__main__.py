"""Judge many wild programs and print the counts: `python -m tests.oracle.wild --programs 500 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from .draw import plans, shrink
from .frames import source
from .judge import judge
from .plan import Wild
from .same_trace import NOTHING_TO_COMPARE, difference
from .tally import Tally

BATCH = 25


def judged(batch: list[Wild]) -> Tally:
    """The counts of some programs."""
    tally = Tally()
    for plan in batch:
        tally.add(judge(plan))
    return tally


def _fails(kind: str, plan: Wild) -> bool:
    return kind in judge(plan).failures


def keep(tally: Tally, folder: Path, most: int) -> None:
    """Write the plainest program of each kind of failure to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, Wild] = {}
    for name, plan in tally.failures:
        kinds.setdefault(name, plan)
    for number, (name, plan) in enumerate(islice(sorted(kinds.items(), key=lambda each: each[0]), most)):
        plain = shrink(plan, partial(_fails, name))
        (folder / f"failure_{number:02}.py").write_text(f"# {name}\n# {plain}\n{source(plain)}", encoding="utf-8")


def compared(batch: list[Wild]) -> Counter[str]:
    """How the simulated traces of some programs differ from PyTorch's own, with and without a tail."""
    found: Counter[str] = Counter()
    for plan in batch:
        text = source(plan)
        for micro_batches in (2 * plan.n, 3 * plan.n - 1):
            found[difference(plan, text, micro_batches)] += 1
    return found


def compare(batches: list[list[Wild]], jobs: int) -> int:
    """Print how many traces are the same; the number of those that are not."""
    found: Counter[str] = Counter()
    with ProcessPoolExecutor(jobs) as pool:
        for each in pool.map(compared, batches):
            found += each
    same, left_out = found.pop("", 0), found.pop(NOTHING_TO_COMPARE, 0)
    print(f"{same} simulated traces are PyTorch's own, {found.total()} differ; {left_out} had nothing to compare.")
    for reason, count in found.most_common(20):
        print(f"- {count} times: {reason}")
    return found.total()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--failures", type=Path, default=None, metavar="FOLDER", help="write the plainest failing programs here")
    parser.add_argument("--most", type=int, default=60, help="failures to make plain (default: 60)")
    parser.add_argument("--traces", action="store_true", help="hold simulated traces against PyTorch's, and judge nothing")
    given = parser.parse_args()
    drawn = plans(given.seed, given.programs)
    batches = [drawn[start : start + BATCH] for start in range(0, len(drawn), BATCH)]
    if given.traces:
        sys.exit(1 if compare(batches, given.jobs) else 0)
    tally, begun = Tally(), time.monotonic()
    with ProcessPoolExecutor(given.jobs) as pool:
        for each in pool.map(judged, batches):
            tally.merge(each)
            done = f"{tally.programs} programs, {len(tally.failures)} failures, {time.monotonic() - begun:.0f} s"
            print(done, file=sys.stderr, flush=True)
    print(f"Seed {given.seed}.", tally.table())
    if given.failures is not None:
        keep(tally, given.failures, given.most)


if __name__ == "__main__":
    main()
