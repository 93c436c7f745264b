"""`python -m tests.robustness --count 20000 --seed 1 [PATHS...]`: the nightly run, and the table that it prints."""

from __future__ import annotations

import argparse
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from gradlint.relevance.prefilter import worth_reading

from .nightly import Counts, Job, Verdict, processors, run_all, write_failures, write_raw
from .sources import files, generated

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
LARGEST = 8_000
"""Scripts with more bytes than this are judged as they are, but not mutated."""


def main() -> int:
    """Run, print the table, write what failed; 1 where anything did."""
    parser = argparse.ArgumentParser(prog="python -m tests.robustness", description=__doc__)
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        help="files and folders to use beside fixtures/ (with none: the standard library and site-packages)",
    )
    parser.add_argument(
        "--count", type=int, default=20_000, help="mutants of training scripts; a tenth as many of every other kind [20000]"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed and files give the same texts [0]")
    parser.add_argument("--twins", type=int, default=8, metavar="N", help="judge every Nth text together with its twins [8]")
    parser.add_argument("--minutes", type=float, default=None, metavar="M", help="stop after this time, and count what is done")
    parser.add_argument("--no-files", action="store_true", help="only what is made of the files, not the files themselves")
    parser.add_argument("--jobs", type=int, default=processors(), help="processes [one for each processor]")
    parser.add_argument("--shrink", type=int, default=20, metavar="N", help="how many kinds of failures to reduce [20]")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("robustness-failures"),
        metavar="FOLDER",
        help="where failures are written [robustness-failures]",
    )
    options = parser.parse_args()
    paths = options.paths or [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    start, counts = time.time(), Counts()
    known: set[tuple[str, str]] = set()
    for verdict in _verdicts(list(dict.fromkeys(files([FIXTURES, *paths]))), options):
        counts.add(verdict)
        for each in verdict.broken:
            if (each.law, each.key) not in known:
                known.add((each.law, each.key))
                print(
                    f"{each.law}: {each.detail.strip().splitlines()[-1]} ({write_raw(verdict, each, options.output)})",
                    file=sys.stderr,
                    flush=True,
                )
        if options.minutes is not None and time.time() - start > options.minutes * 60:
            print("stopped, as the time is over", file=sys.stderr)
            break
        if counts.total % 1000 == 0:
            print(
                f"{counts.total:,} texts after {time.time() - start:.0f} s, {len(counts.failures)} failures",
                file=sys.stderr,
                flush=True,
            )
    print("\n".join(counts.lines()))
    print(f"seed {options.seed}, {time.time() - start:.0f} seconds, {options.jobs} processes")
    for line in write_failures(counts.failures, options.output, options.shrink) if counts.failures else ():
        print(line, flush=True)
    return int(bool(counts.failures))


def _verdicts(found: list[Path], options: argparse.Namespace) -> Iterator[Verdict]:
    """Every job of the run, done; what hypothesmith makes comes last, as it is made in this process."""
    jobs = list(_jobs(found, options))
    Random(options.seed).shuffle(jobs)  # a run that is stopped has seen something of every kind
    yield from run_all(jobs, options.jobs)
    few = options.count // 10
    texts = list(generated(few, seed=options.seed)) if few else []
    plain = [_job(options, "generated", number, text=text) for number, text in enumerate(texts)]
    inside = [_job(options, "generated, spliced", number, text=text) for number, text in enumerate(texts)]
    yield from run_all([*plain, *inside], options.jobs)


def _jobs(found: list[Path], options: argparse.Namespace) -> Iterator[Job]:
    """The files, and what is made of them, in a stable order."""
    random = Random(options.seed)
    notebooks = [path for path in found if path.suffix == ".ipynb"]
    scripts = [path for path in found if path.suffix != ".ipynb"]
    training = [path for path in scripts if worth_reading(path.read_bytes())]
    if not options.no_files:
        chosen = set(training)
        yield from (_job(options, "training scripts", number, path) for number, path in enumerate(training))
        yield from (
            _job(options, "other scripts", number, path) for number, path in enumerate(p for p in scripts if p not in chosen)
        )
        yield from (_job(options, "notebooks", number, path) for number, path in enumerate(notebooks))
    small = [path for path in training if path.stat().st_size < LARGEST]
    few = options.count // 10
    yield from (_job(options, "mutants", number, random.choice(small)) for number in range(options.count))
    yield from (_job(options, "broken bytes", number, random.choice(small)) for number in range(few))
    yield from (_job(options, "mutated notebooks", number, random.choice(notebooks)) for number in range(few if notebooks else 0))


def _job(options: argparse.Namespace, kind: str, number: int, path: Path | None = None, text: str = "") -> Job:
    return Job(kind, path, f"{options.seed}:{kind}:{number}", text, twins=number % options.twins == 0)


if __name__ == "__main__":
    sys.exit(main())
