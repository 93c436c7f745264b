"""What gradlint says of a wild program, against what PyTorch showed; and what each fix alone and all together made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gradlint.api import check_source, fix_source
from gradlint.diagnostic import Applicability, Diagnostic

from .changes import left_to, masked, spoiled, unshown
from .frames import source
from .observe import Runs, observe
from .plan import BUGS, Wild

FILE = "train.py"
TOGETHER = "all"
"""The name under which all fixes together are counted."""
_NAMES = re.compile(r"`[^`]*`")


@dataclass(frozen=True)
class Judgement:
    """What came of one program. `spoiled` has, by the code of a fix that was applied alone, or for all of them, what was wrong
    with it; fixes that were right have an empty set. `withheld` has the codes of findings without a safe fix, and why."""

    plan: Wild
    shown: frozenset[str]
    reported: frozenset[str]
    spoiled: tuple[tuple[str, frozenset[str]], ...]
    errors: tuple[str, ...]
    findings: int = 0
    withheld: tuple[tuple[str, str], ...] = ()
    failed: str = ""

    @property
    def missed(self) -> frozenset[str]:
        return self.shown - self.reported - left_to(self.shown)

    @property
    def false(self) -> frozenset[str]:
        return self.reported - self.shown - masked(self.shown) - unshown(self.plan)

    @property
    def failures(self) -> list[str]:
        """Each kind of failure in a few words."""
        kinds = [f"missed {code}" for code in sorted(self.missed)] + [f"false {code}" for code in sorted(self.false)]
        kinds += [f"fix of {code} {what}" for code, wrong in self.spoiled for what in sorted(wrong)]
        kinds += [f"gradlint fails: {self.failed}"] if self.failed else []
        return kinds + [f"the program fails: {error}" for error in self.errors]


def judge(plan: Wild) -> Judgement:
    """Write, run, check, fix and run again one program. Only what is reported by default is asked for."""
    text = source(plan)
    runs = observe(plan, text)
    shown = runs.codes & frozenset(BUGS)
    try:
        found = check_source(text, FILE)
        reported = frozenset(each.code for each in found)
        fixes = tuple(_fixes(plan, text, runs, reported))
    except Exception as error:  # whatever it is, it is counted
        return Judgement(plan, shown, frozenset(), (), runs.errors, failed=f"{type(error).__name__}: {error}")
    return Judgement(plan, shown, reported, fixes, runs.errors, len(found), tuple(_withheld(found)))


def _withheld(found: Iterable[Diagnostic]) -> Iterator[tuple[str, str]]:
    """Why findings have no safe fix, without the names of the program."""
    for each in found:
        if each.fix is None or each.fix.applicability is not Applicability.SAFE:
            yield each.code, _NAMES.sub("`...`", each.note or "the rule has none here")


def _fixes(plan: Wild, text: str, runs: Runs, reported: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """Each rule's fixes alone, with every other rule off, and then all together."""
    seen: list[tuple[str, frozenset[str]]] = []
    alone = ""
    for code in sorted(reported):
        fixed = fix_source(text, FILE, select=[code])
        if fixed.changed:
            remaining = frozenset(each.code for each in fixed.remaining)
            seen.append((code, spoiled(runs, observe(plan, fixed.source), frozenset({code}), remaining)))
            alone = fixed.source
    if seen:
        whole = fix_source(text, FILE)
        applied, remaining = (frozenset(each.code for each in some) for some in (whole.applied, whole.remaining))
        if whole.source == alone:
            seen.append((TOGETHER, seen[-1][1]))
        else:
            seen.append((TOGETHER, spoiled(runs, observe(plan, whole.source), applied, remaining)))
    return seen
