"""The counts of many wild programs, and the tables that are printed of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from .judge import TOGETHER, Judgement
from .plan import BUGS, Wild

_TABLES = (
    "boundary", "walk", "counter", "frame", "settings", "data", "loss", "terms", "optional", "division", "backward", "update",
    "report", "stage", "tail", "zero", "amp", "precision", "forward", "clip", "clipping", "passes", "scheduling", "engines",
    "feed", "gate", "advance", "each_pass", "rescue", "watch", "around",
)  # fmt: skip
_OF_COUNTED = ("boundary", "counter", "tail")


@dataclass
class Tally:
    """What came of many programs. The counters of choices hold (choice, option) pairs."""

    programs: int = 0
    clean: int = 0
    broken: int = 0
    missing: int = 0
    alarmed: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    fixed: Counter[str] = field(default_factory=Counter)
    spoiled: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    findings: int = 0
    withheld: Counter[str] = field(default_factory=Counter)
    shown_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    false_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[str, Wild]] = field(default_factory=list)

    def add(self, judged: Judgement) -> None:
        """Count one program."""
        plan = judged.plan
        self.programs += 1
        self.clean += not judged.shown
        self.broken += bool(judged.errors or judged.failed)
        self.missing += bool(judged.missed)
        self.alarmed += bool(judged.false)
        self.injected.update(plan.bugs)
        self.shown.update(judged.shown)
        self.missed.update(judged.missed)
        self.false.update(judged.false)
        self.findings += judged.findings
        self.withheld.update(f"{code} {why}" for code, why in judged.withheld)
        for code, wrong in judged.spoiled:
            self.fixed[code] += 1
            self.spoiled[code] += bool(wrong)
            self.kinds.update(f"{code} {what}" for what in wrong)
        for choice in _choices(plan):
            self.shown_by[choice] += len(judged.shown)
            self.missed_by[choice] += len(judged.missed)
            self.false_by[choice] += len(judged.false)
        self.failures += [(name, plan) for name in judged.failures]

    def merge(self, other: Tally) -> None:
        """Add the counts of another one."""
        for each in fields(Tally):
            mine, more = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, Counter):
                mine.update(more)
            else:
                setattr(self, each.name, mine + more)

    def table(self) -> str:
        """The counts as Markdown."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        shown, missed = sum(self.shown.values()), sum(self.missed.values())
        yield f"{self.programs} programs, {self.clean} of them without a fault that PyTorch shows, {self.broken} that fail."
        yield f"{shown} faults shown, {missed} missed ({missed / max(shown, 1):.1%}), in {self.missing} programs; "
        yield f"false alarms in {self.alarmed} programs ({self.alarmed / max(self.programs, 1):.1%})."
        yield ""
        yield "| rule | injected | shown | missed | false | fixed alone | spoiled |"
        yield "|---|---|---|---|---|---|---|"
        for code in [*BUGS, *sorted(set(self.false) - set(BUGS)), TOGETHER]:
            counts = (self.injected, self.shown, self.missed, self.false, self.fixed, self.spoiled)
            yield f"| {code} | " + " | ".join(str(each[code]) for each in counts) + " |"
        yield ""
        yield "What fixes spoil:"
        yield from (
            f"- {count} times: {name}" for name, count in sorted(self.kinds.items(), key=lambda each: (-each[1], each[0]))
        )
        withheld = self.withheld.total()
        yield ""
        yield f"{self.findings} findings, {withheld} without a safe fix ({withheld / max(self.findings, 1):.1%}):"
        yield from (f"- {count} times: {name}" for name, count in self.withheld.most_common())
        for name in _TABLES:
            yield from ("", f"| {name} | shown | missed | | false |", "|---|---|---|---|---|")
            options = sorted((each for each in self.shown_by if each[0] == name), key=lambda each: (-self._rate(each), each[1]))
            for each in options:
                numbers = f"{self.shown_by[each]} | {self.missed_by[each]} | {self._rate(each):.0%} | {self.false_by[each]}"
                yield f"| {each[1]} | {numbers} |"

    def _rate(self, choice: tuple[str, str]) -> float:
        return self.missed_by[choice] / max(self.shown_by[choice], 1)


def _choices(plan: Wild) -> Iterator[tuple[str, str]]:
    """The choices that matter to a program, to count by."""
    for name in _TABLES:
        if name in _OF_COUNTED and not plan.counted:
            continue
        value = getattr(plan, name)
        yield from ((name, str(each)) for each in (value if isinstance(value, tuple) else (value,)))
