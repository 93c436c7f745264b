"""`python -m benchmarks`: measure, and print the table of `benchmarks/README.md`; with `--write`, write it there."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpora import LONG, PACKAGES, PEERS, SHORT, Bench, prepare
from benchmarks.measure import Command, analysis, interleave, machine, per_line

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table -->", "<!-- /table -->"
RULES = ("--select", "E4,E7,E9,F")


@dataclass(frozen=True)
class Row:
    """One row of the table: the work, what it took, beside what, and the target it is held to."""

    work: str
    measured: str
    beside: str
    target: str
    met: bool


def gradlint(*arguments: str) -> list[str]:
    """The command as it is installed beside this interpreter."""
    return [str(Path(sys.executable).with_name("gradlint")), "check", "--isolated", "-q", *arguments]


def rows(bench: Bench, rounds: int) -> Iterator[Row]:
    """Every row, the slow ones last."""
    ours, theirs = bench.home / "cache-gradlint", bench.home / "cache-ruff"
    ruff = [bench.peer("ruff"), "check", "-q", "--isolated", *RULES]
    everything = ("--select", "ALL")
    for folder in (ours, theirs):
        shutil.rmtree(folder, ignore_errors=True)
    tree = {
        "ours cold": Command(gradlint("--no-cache", *everything, "."), bench.tree),
        "ours alone": Command(gradlint("--no-cache", "--no-follow", *everything, "."), bench.tree),
        "ruff cold": Command([*ruff, "--no-cache", "."], bench.tree),
        "ours warm": Command(gradlint("--cache-dir", str(ours), *everything, "."), bench.tree),
        "ruff warm": Command([*ruff, "--cache-dir", str(theirs), "."], bench.tree),
        "script": Command(gradlint("--no-cache", *everything, str(bench.script)), bench.home),
        "plain": Command(gradlint("--no-cache", *everything, str(bench.plain)), bench.home),
    }
    for command in tree.values():
        command.run()
        command.runs.clear()
    interleave(tree, rounds)
    for kind, most in (("cold", 1.0), ("warm", 1.5)):
        mine, other = tree[f"ours {kind}"], tree[f"ruff {kind}"]
        ratio = mine.seconds / other.seconds
        work = "the tree, cold, no cache, all rules" if kind == "cold" else "the tree, warm cache, nothing changed"
        beside = f"Ruff {other.seconds:.2f} s ({other.processor:.2f} s)"
        measured = f"{mine.seconds:.2f} s ({mine.processor:.2f} s of processor time), {ratio:.2f} times Ruff"
        yield Row(work, measured, beside, f"at most {most:g} times Ruff", ratio <= most)
    followed, alone = tree["ours cold"].processor, tree["ours alone"].processor
    yield Row(
        "the tree, cold, each file among the modules around it",
        f"{followed:.2f} s of processor time, {followed / alone:.2f} times as much",
        f"`--no-follow` {alone:.2f} s",
        "at most 1.3 times",
        followed <= 1.3 * alone,
    )
    for name, work, limit in (
        ("script", "a training script of 300 lines", 0.25),
        ("plain", "a file without a training loop", 0.10),
    ):
        took = tree[name]
        yield Row(work, f"{took.seconds:.3f} s ({took.processor:.3f} s)", "", f"at most {limit} s", took.seconds <= limit)
    found = analysis(bench.tree)
    parts = f"model {found.model:.2f} s, rules {found.rules:.2f} s; parse {found.parse:.2f} s"
    yield Row(
        f"analysis of the {found.files} candidate files, in process",
        f"{found.ratio:.2f} times the parse ({parts})",
        "LibCST's parse of what is read of them",
        "at most 0.6 times",
        found.ratio <= 0.6,
    )
    short, long = per_line(bench.long(SHORT), rounds), per_line(bench.long(LONG), 2)
    yield Row(
        f"a file of {LONG:,} lines",
        f"{long:.0f} µs a line, {long / short:.2f} times as much",
        f"{SHORT:,} lines: {short:.0f} µs a line",
        "at most 1.5 times",
        long / short <= 1.5,
    )
    memory = max(tree["ours cold"].memory, tree["ours warm"].memory)
    yield Row("memory of the largest process on the tree", f"{memory:.0f} MiB", "", "at most 150 MiB", memory <= 150)
    yield from _server()


def _server() -> Iterator[Row]:
    """The slowest keystroke of `benchmarks/server.py`, where what the language server needs is installed."""
    try:
        server = importlib.import_module("benchmarks.server")
    except ImportError:
        return
    medians = asyncio.run(server.measure(SHORT, 20))
    slowest = max(value for name, value in medians.items() if not name.startswith("when"))
    work = f"language server: diagnostics after a keystroke in a script of {SHORT:,} lines"
    yield Row(work, f"{slowest:.0f} ms", "", "at most 100 ms", slowest <= 100)


def peers(bench: Bench) -> Iterator[str]:
    """The other linters on the same tree and script, once each: they answer other questions, and take their time."""
    lines = {
        "ast-grep, one pattern": [bench.peer("ast-grep"), "run", "--lang", "python", "-p", "$L.backward()"],
        "flake8": [bench.peer("flake8"), "--isolated", "--select", "F"],
        "TorchFix": [bench.peer("torchfix"), "--select", "ALL"],
        "Fixit": [bench.peer("fixit"), "lint"],
    }
    yield "| linter | the tree | the script of 300 lines |\n|---|---|---|"
    for name, arguments in lines.items():
        took = []
        for path in (bench.tree, bench.script):
            command = Command([*arguments, str(path)], bench.home)
            try:
                command.run()
                took.append(f"{command.seconds:.2f} s")
            except (RuntimeError, subprocess.SubprocessError) as error:
                took.append(f"failed: {str(error).splitlines()[0][-60:]}")
        yield f"| {name} | {took[0]} | {took[1]} |"


def table(found: list[Row]) -> str:
    """Markdown."""
    lines = ["| work | measured | beside | target | met |", "|---|---|---|---|---|"]
    lines += [f"| {r.work} | {r.measured} | {r.beside} | {r.target} | {'yes' if r.met else 'no'} |" for r in found]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gradlint-benchmarks"
    parser.add_argument("--home", type=Path, default=default, help="where corpora and peers are kept [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=9, help="runs of each command, of which the median counts [default: 9]")
    parser.add_argument("--peers", action="store_true", help="run the slow peers as well, once each")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args()
    where = machine()
    bench = prepare(options.home.resolve())
    parts = [table(list(rows(bench, options.rounds)))]
    if options.peers:
        parts.append("\n".join(peers(bench)))
    parts.append(
        f"{where}. Medians of {options.rounds} interleaved runs. Tree: {', '.join(PACKAGES)}. Peers: {', '.join(PEERS)}."
    )
    text = "\n\n".join(parts)
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
