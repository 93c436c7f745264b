"""Counts how often each rule was found, and how many of its findings can be fixed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gradlint.diagnostic import Diagnostic
from gradlint.report.lines import marker


@dataclass(frozen=True)
class Tally:
    """The findings of one rule. `fixable` counts those whose fix would be applied."""

    code: str
    name: str
    count: int
    fixable: int


def tallies(diagnostics: Iterable[Diagnostic], *, unsafe: bool) -> list[Tally]:
    """Return one tally per rule, the most frequent first."""
    groups: dict[tuple[str, str], list[Diagnostic]] = defaultdict(list)
    for each in diagnostics:
        groups[each.code, each.name].append(each)
    found = [
        Tally(code, name, len(group), sum(bool(marker(each, unsafe=unsafe)) for each in group))
        for (code, name), group in groups.items()
    ]
    return sorted(found, key=lambda tally: (-tally.count, tally.code))


def statistics(diagnostics: Iterable[Diagnostic], *, unsafe: bool) -> Iterator[str]:
    """Yield the tallies as lines, marked `[*]` if all findings are fixable, `[-]` if some are, and `[ ]` if none is."""
    found = tallies(diagnostics, unsafe=unsafe)
    digits = max((len(str(tally.count)) for tally in found), default=0)
    for tally in found:
        sign = "*" if tally.fixable == tally.count else "-" if tally.fixable else " "
        yield f"{tally.count:>{digits}}\t{tally.code}\t[{sign}] {tally.name}"
