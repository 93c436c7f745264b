"""Adds up the rows of surveys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradlint.organisation.rows import DONE, FAILURE, FINDING, REPOSITORY, VERDICT


@dataclass
class Totals:
    """The counts of one survey. `rules`, `fixes` and `reach` are by rule, `worst` by repository, `engines` by engine and verdict."""

    name: str
    begun: str = ""
    states: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    fixes: Counter[tuple[str, str]] = field(default_factory=Counter)
    reach: dict[str, set[str]] = field(default_factory=dict)
    worst: Counter[str] = field(default_factory=Counter)
    engines: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    severities: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def repositories(self) -> int:
        return sum(self.states.values())

    @property
    def loops(self) -> int:
        return sum(self.verdicts.values())

    @property
    def findings(self) -> int:
        return sum(self.rules.values())

    def fixable(self, kind: str) -> int:
        """How many findings have a fix of this kind: safe, unsafe or no."""
        return sum(count for (_, each), count in self.fixes.items() if each == kind)

    def share(self, verdict: str) -> str:
        """The share of the loops with a verdict, in percent."""
        return f"{100 * self.verdicts[verdict] / self.loops:.0f} %" if self.loops else "no loops"


def totals_of(name: str, rows: Iterable[Mapping[str, Any]]) -> Totals:
    """Add up the rows of one survey."""
    found = Totals(name)
    for row in rows:
        kind, rule, repository = row["kind"], row["rule"] or "", row["repository"]
        if kind == REPOSITORY:
            found.states[row["state"]] += 1
            found.seconds += row["seconds"] or 0.0
            found.begun = min(filter(None, (found.begun, row["checked_at"])), default="")
            if row["state"] != DONE:
                found.failures.append((repository, row["state"], row["message"]))
        elif kind == FAILURE:
            found.failures.append((f"{repository} {row['path']}", "crashed", row["message"]))
        elif kind == VERDICT:
            found.verdicts[row["verdict"]] += 1
            found.engines[row["engine"] or "plain", row["verdict"]] += 1
        elif kind == FINDING:
            found.rules[rule] += 1
            found.fixes[rule, row["fixable"]] += 1
            found.reach.setdefault(rule, set()).add(repository)
            found.worst[repository] += 1
            found.severities[rule] = row["severity"]
    return found
