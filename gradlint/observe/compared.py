"""Compares what a run showed with what `gradlint check` says about the same files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradlint.diagnostic import Applicability, Diagnostic
from gradlint.observe.judging import Found

UNSEEN = frozenset(
    "GRD001 GRD105 GRD106 GRD107 GRD108 GRD207 GRD208 GRD209 GRD210 GRD211 GRD402 GRD404 GRD405 GRD406 GRD407 GRD501 GRD502 "
    "GRD503 GRD504 GRD701 GRD702 GRD703 GRD704 GRD705".split()
)
"""Rules about what the probe does not record: logs, settings, layers, own averages, what another N would do, or other data."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A fault that the run showed, with the finding of `gradlint check` that says the same, if there is one."""

    found: Found
    static: Diagnostic | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """The faults of the run, and the findings that it did not show."""

    pairs: tuple[Pair, ...]
    missing: tuple[Diagnostic, ...]
    unseen: tuple[Diagnostic, ...]


def compare(found: Sequence[Found], static: Sequence[Diagnostic]) -> Comparison:
    """Pair faults and findings: of the same rule, in the same file, the nearest first."""
    left = list(static)
    pairs = []
    for each in found:
        own = [other for other in left if other.code == each.rule.code and _same(other.filename, each.file)]
        twin = min(own, key=lambda other: abs(other.span.start.row - each.row), default=None)
        if twin is not None:
            left.remove(twin)
        pairs.append(Pair(each, twin))
    return Comparison(
        tuple(pairs),
        tuple(each for each in left if each.code not in UNSEEN),
        tuple(each for each in left if each.code in UNSEEN),
    )


def words(compared: Comparison) -> Iterator[str]:
    """The comparison in a paragraph."""
    agreed = [each for each in compared.pairs if each.static is not None]
    only = [each for each in compared.pairs if each.static is None]
    if not compared.pairs and not compared.missing:
        yield "`gradlint check` agrees: it finds nothing wrong that a run could show."
    elif agreed and not only and not compared.missing:
        yield f"`gradlint check` agrees on all {len(agreed)} findings." if len(agreed) > 1 else "`gradlint check` agrees."
    elif agreed:
        yield f"`gradlint check` agrees on {', '.join(sorted({each.found.rule.code for each in agreed}))}."
    if only:
        yield f"Only the run shows {', '.join(each.found.rule.code for each in only)}: `gradlint check` cannot tell, or judges otherwise."
    if compared.missing:
        yield f"Only `gradlint check` finds {_listed(compared.missing)}: this run did not show it."
    if compared.unseen:
        yield f"`gradlint check` also finds {_listed(compared.unseen)}, which a run does not show."


def _listed(found: Sequence[Diagnostic]) -> str:
    return ", ".join(f"{each.code} (line {each.span.start.row})" for each in found)


def fix_of(pair: Pair) -> str:
    """What `gradlint check` offers to do about a fault; "" if nothing."""
    fix = pair.static.fix if pair.static is not None else None
    if fix is None:
        return ""
    option = "--fix" if fix.applicability is Applicability.SAFE else "--fix --unsafe-fixes"
    return f"{fix.message} (gradlint check {option})"


def _same(one: str, other: str) -> bool:
    return Path(one).absolute() == Path(other).absolute()
