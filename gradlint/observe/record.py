"""Reads what the probe recorded in a watched program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Spot = tuple[str, int, int, int, int]
"""A piece of a file: its name, first row, first column, last row, last column. Columns count bytes; -1 if unknown."""


@dataclass(frozen=True, eq=False)
class Record:
    """One thing that the probe saw. `at` are the calls in the user's files that led to it, innermost first."""

    what: str
    at: tuple[Spot, ...]
    order: int
    about: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.about.get(name)


@dataclass(frozen=True, eq=False)
class Process:
    """The record of one process."""

    rank: int
    records: tuple[Record, ...]

    def of(self, *what: str) -> list[Record]:
        return [each for each in self.records if each.what in what]

    @property
    def checksums(self) -> list[float]:
        """The sums of the weights after each update, if several processes train."""
        return [each["weights"] for each in self.of("stepped") if each["weights"] is not None]


def processes(folder: Path) -> list[Process]:
    """The records that the processes of a program left in a folder, by rank."""
    found = [_process(path) for path in sorted(folder.glob("*.jsonl"))]
    return sorted(found, key=lambda each: each.rank)


def _process(path: Path) -> Process:
    records = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                about = json.loads(line)
            except ValueError:
                break  # the process ended while it wrote
            at = tuple((each[0], *map(int, each[1:])) for each in about.pop("at", ()))
            records.append(Record(about.pop("what"), at, int(about.pop("seq", 0)), about))
    rank = next((each["rank"] for each in records if each.what == "begin"), 0)
    return Process(rank, tuple(records))


def drift(found: Sequence[Process]) -> tuple[int, float] | None:
    """The first update after which the weights of two processes differ, and by how much; None if they stay the same."""
    sums = [each.checksums for each in found if each.checksums]
    for number, values in enumerate(zip(*sums, strict=False), 1):
        apart = max(values) - min(values)
        if apart > 1e-6 * max(1.0, *map(abs, values)):
            return number, apart
    return None
