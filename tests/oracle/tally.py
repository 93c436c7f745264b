"""The counts of many programs, and the table that is printed of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .plan import BUGS, Plan
from .theorems import Judgement


@dataclass
class Tally:
    """What came of many programs. A rule's `observed` counts the programs in which PyTorch showed its bug."""

    programs: int = 0
    clean: int = 0
    unknown: int = 0
    decided: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    observed: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)
    fixed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    equal: int = 0
    repaired: int = 0
    left: int = 0
    unsound: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, Plan]] = field(default_factory=list)

    def add(self, judged: Judgement) -> None:
        """Count one program."""
        self.programs += 1
        self.clean += not judged.observed
        hidden = judged.observed & judged.unknown - judged.reported
        self.unknown += bool(judged.unknown)
        self.decided += not judged.unknown
        self.injected.update(judged.plan.bugs)
        self.observed.update(judged.observed)
        self.reported.update(judged.reported)
        self.missed.update(judged.missed)
        self.false.update(judged.false)
        self.undecided.update(hidden)
        self.fixed.update(judged.applied)
        self.refused.update(judged.reported - set(judged.applied))
        self.repaired += bool(judged.applied)
        self.equal += bool(judged.applied and judged.equal)
        self.left += bool(judged.applied and judged.equal is None)
        self.unsound += bool(judged.broken)
        self.broken.update(each.split(":")[0] for each in judged.broken)
        self.failures += [(f"missed {code}", judged.plan) for code in sorted(judged.missed)]
        self.failures += [(f"false {code}", judged.plan) for code in sorted(judged.false)]
        self.failures += [(each, judged.plan) for each in judged.broken]

    def merge(self, other: Tally) -> None:
        """Add the counts of another one."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if isinstance(mine, Counter):
                mine.update(value)
            else:
                setattr(self, name, mine + value)

    @property
    def rates(self) -> tuple[float, float, float]:
        """Misses among the bugs that were shown and decided, false alarms among the decided programs, unknown programs."""
        decided = sum(self.observed.values()) - sum(self.undecided.values())
        return (
            sum(self.missed.values()) / max(decided, 1),
            sum(self.false.values()) / max(self.decided, 1),
            self.unknown / max(self.programs, 1),
        )

    def table(self) -> str:
        """The counts as Markdown."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        misses, false, unknown = self.rates
        yield f"{self.programs} programs, {self.clean} of them without a bug that PyTorch shows."
        yield ""
        yield "| rule | injected | shown | reported | missed | false | unknown | fixed | refused |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for code in BUGS:
            row = (self.injected, self.observed, self.reported, self.missed, self.false, self.undecided, self.fixed, self.refused)
            yield f"| {code} | " + " | ".join(str(each[code]) for each in row) + " |"
        whole = (self.injected, self.observed, self.reported, self.missed, self.false, self.undecided, self.fixed, self.refused)
        yield "| all | " + " | ".join(str(sum(each.values())) for each in whole) + " |"
        yield ""
        yield f"- missed: {misses:.2%} of the bugs shown that gradlint does not declare unknown"
        yield f"- false alarms: {false:.2%} of the programs of which nothing is unknown"
        yield f"- unknown: {unknown:.2%} of the programs have something that gradlint declares unknown"
        yield (
            f"- repaired: {self.repaired} programs, of which {self.equal} train as the large batch to 1e-9 and {self.left} keep "
            "a bug without a fix"
        )
        yield f"- unsound: {self.unsound} programs break a theorem"
        yield from (f"  - {count} times: {name}" for name, count in self.broken.most_common())
