"""Judge many programs and print the counts: `python -m tests.oracle --programs 20000`."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from .draw import draw
from .plan import Plan
from .shrink import shrink
from .tally import Tally
from .theorems import Judgement, judge
from .write import source

BATCH = 50


def plans(seed: int) -> Iterator[Plan]:
    """Plans without end, the same for the same seed."""
    chance, late = random.Random(seed), random.Random(f"{seed}, late")
    while True:
        yield draw(chance.choice, late.choice)


def judged(batch: list[Plan]) -> Tally:
    """The counts of some programs."""
    tally = Tally()
    for plan in batch:
        tally.add(judge(plan))
    return tally


def failures_of(judgement: Judgement) -> set[str]:
    """What is wrong with a program, in the words of a tally."""
    tally = Tally()
    tally.add(judgement)
    return {name for name, _ in tally.failures}


def keep(tally: Tally, folder: Path, most: int) -> None:
    """Write the plainest program of each kind of failure to a folder, to become a fixture."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, Plan] = {}
    for name, plan in tally.failures:
        kinds.setdefault(name, plan)
    for number, (name, plan) in enumerate(islice(kinds.items(), most)):
        plain = shrink(plan, lambda each, name=name: name in failures_of(judge(each)))  # type: ignore[misc]
        (folder / f"failure_{number}.py").write_text(f"# {name}\n# {plain}\n{source(plain)}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=None, help="stop, and count what was done, after so long")
    parser.add_argument("--failures", type=Path, default=None, metavar="FOLDER", help="write the plainest failing programs here")
    parser.add_argument("--most", type=int, default=20, help="failures to make plain (default: 20)")
    given = parser.parse_args()
    source_of_plans = plans(given.seed)
    batches = [list(islice(source_of_plans, BATCH)) for _ in range(-(-given.programs // BATCH))]
    tally, begun = Tally(), time.monotonic()
    with ProcessPoolExecutor(given.workers) as pool:
        for each in pool.map(judged, batches):
            tally.merge(each)
            for name, plan in each.failures:
                print(f"{name}: {plan}", file=sys.stderr)
            done = f"{tally.programs} programs, {len(tally.failures)} failures, {time.monotonic() - begun:.0f} s"
            print(done, file=sys.stderr, flush=True)
            if given.minutes is not None and time.monotonic() - begun > 60 * given.minutes:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    print(f"Seed {given.seed}.", tally.table())
    if given.failures is not None:
        keep(tally, given.failures, given.most)
    sys.exit(bool(tally.unsound or tally.rates[0] > 0.01 or tally.rates[1] > 0.005 or tally.rates[2] > 0.1))


if __name__ == "__main__":
    main()
