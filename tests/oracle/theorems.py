"""What must hold of every program: what is reported is what happens, and what is fixed trains as the large batch does."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gradlint.engine import Located, examine
from gradlint.fixer import fix
from gradlint.registry import all_rules
from gradlint.render import apply
from gradlint.rule import Rule
from tests.oracle.large_batch import reference
from tests.oracle.plan import BUGS, Plan
from tests.oracle.trace import run
from tests.oracle.undecided import undecided
from tests.oracle.verdict import Intent, verdict
from tests.oracle.write import source

CLOSE = 1e-9
_COMMENT = re.compile(r"# (?:note|about line) \d+")


@dataclass(frozen=True)
class Judgement:
    """What came of one program.

    `observed` is what PyTorch showed and `reported` what gradlint said, before and after the fixes; `unknown` are the rules
    for which gradlint declares that it cannot tell. `equal` says whether the fixed program trains as the large batch does
    (None: something is left that nobody may fix). `broken` names the theorems that do not hold, each with what was seen.
    """

    plan: Plan
    text: str
    observed: frozenset[str]
    reported: frozenset[str]
    unknown: frozenset[str]
    applied: tuple[str, ...]
    fixed: str
    observed_after: frozenset[str]
    reported_after: frozenset[str]
    equal: bool | None
    broken: tuple[str, ...]
    errors: tuple[str, ...] = ()

    @property
    def missed(self) -> frozenset[str]:
        return self.observed - self.reported - self.unknown

    @property
    def false(self) -> frozenset[str]:
        return self.reported - self.observed

    @property
    def right(self) -> bool:
        return not (self.missed or self.false or self.broken)


def rules() -> tuple[Rule[Any], ...]:
    """The rules that the oracle can judge."""
    return tuple(rule for rule in all_rules() if rule.code in BUGS)


def judge(plan: Plan) -> Judgement:
    """Write, run, check, fix and run again one program."""
    text = source(plan)
    observed, errors = observe(plan, text)
    located = examine(text, "train.py", rules())
    reported = frozenset(each.diagnostic.code for each in located)
    outcome = fix(text, "train.py", rules(), unsafe=True, keep=lambda _, found: found)
    applied = tuple(sorted({each.code for each in outcome.applied}))
    observed_after, reported_after, equal = observed, reported, None
    broken: list[str] = []
    if outcome.applied:
        observed_after, after_errors = observe(plan, outcome.text)
        reported_after = frozenset(each.diagnostic.code for each in examine(outcome.text, "train.py", rules()))
        if set(after_errors) - set(errors):
            broken.append(f"the fixed program fails: {sorted(set(after_errors) - set(errors))[0]}")
        left = observed_after & frozenset(applied)
        if left - reported_after:
            broken.append(f"fixed, and still there: {sorted(left - reported_after)}")
        if observed_after - observed - reported_after:
            broken.append(f"brought by the fix: {sorted(observed_after - observed - reported_after)}")
        broken += _texts(text, outcome.text, located)
    if not observed_after and not (errors and not outcome.applied):
        equal = trains_as_the_large_batch(plan, outcome.text if outcome.applied else text)
        if not equal:
            broken.append("does not train as the large batch")
    unknown = undecided(text)
    return Judgement(
        plan, text, observed, reported, unknown, applied, outcome.text, observed_after, reported_after, equal, tuple(broken), errors
    )


def variants(plan: Plan) -> list[tuple[int, tuple[str, ...]]]:
    """The runs that show all of a program: passes with and without a tail, each arm of its flags."""
    lengths = sorted({2 * plan.n, 2 * plan.n + 1, 3 * plan.n - 1})
    flags: list[tuple[str, ...]] = [("--amp",), ()] if plan.amp in ("arms", "enabled") else [()]
    return [(length, flag) for length in lengths for flag in flags]


def observe(plan: Plan, text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """What PyTorch shows to be wrong with a program, and how its runs failed."""
    codes: set[str] = set()
    errors: list[str] = []
    intent = Intent(plan.n if plan.accumulates else 1, finite=plan.finite)
    for micro_batches, flags in variants(plan):
        trace = run(text, micro_batches, flags)
        codes |= verdict(trace, intent)
        errors += [trace.error] if trace.error else []
    return frozenset(codes), tuple(errors)


def trains_as_the_large_batch(plan: Plan, text: str) -> bool:
    """Whether the final weights, and their average, are the reference's, with and without a tail."""
    whole = 2 * plan.n
    partial = 2 * plan.n + 1
    lengths = [whole]
    if plan.scheduler in ("no", "step", "lambda", "epoch") or plan.length == "literal":
        lengths.append(partial)
    for micro_batches in lengths:
        if not plan.restarts and plan.scheduler == "epoch" and micro_batches != whole:
            continue
        meant = reference(plan, micro_batches)
        for flags in {flags for _, flags in variants(plan)}:
            seen = run(text, micro_batches, flags)
            if seen.error or not _close(seen.weights, meant.weights):
                return False
            if meant.average is not None and (seen.average is None or not _close(seen.average, meant.average)):
                return False
    return True


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and float((a - b).norm()) <= CLOSE * float(b.norm())


# Texts


def _texts(text: str, fixed: str, located: Sequence[Located]) -> list[str]:
    broken: list[str] = []
    again = fix(fixed, "train.py", rules(), unsafe=True, keep=lambda _, found: found)
    if again.text != fixed:
        broken.append("fixing again changes more")
    lost = Counter(_COMMENT.findall(text)) - Counter(_COMMENT.findall(fixed))
    if lost:
        broken.append(f"comments lost: {sorted(lost)}")
    for each in located:
        if each.changes and not _only_named_lines(text, each):
            broken.append(f"{each.diagnostic.code} changes lines that it does not name")
    for order in (0, 1):
        one_by_one = _one_by_one(text, random.Random(order))
        if one_by_one != fixed:
            broken.append("the order of the fixes matters")
            break
    return broken


def _one_by_one(text: str, chance: random.Random) -> str:
    """Apply fixes one at a time, in a random order, until none is left."""
    for _ in range(40):
        located = [each for each in examine(text, "train.py", rules()) if each.changes]
        if not located:
            return text
        text = apply(text, chance.choice(located).changes)
    return text


def _only_named_lines(text: str, located: Located) -> bool:
    """Lines outside the spans of a fix's edits are the same before and after it."""
    assert located.diagnostic.fix is not None
    lines = text.split("\n")
    named = {row for edit in located.diagnostic.fix.edits for row in range(edit.span.start.row, edit.span.end.row + 1)}
    kept = [line for row, line in enumerate(lines, 1) if row not in named]
    after = iter(apply(text, located.changes).split("\n"))
    return all(any(line == other for other in after) for line in kept)
