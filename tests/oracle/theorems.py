"""What must hold of every program: what is reported is what happens, and what is fixed trains as the large batch does."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch

from gradlint.analysis.engine import examine
from gradlint.analysis.located import Located
from gradlint.analysis.text_changes import apply
from gradlint.fixes.fixer import fix
from gradlint.registry import all_rules
from gradlint.rule import Rule

from .large_batch import reference
from .plan import BUGS, Plan
from .run import run
from .trace import Trace
from .undecided import undecided
from .verdict import Intent, verdict
from .write import source

CLOSE = 1e-9
FILE = "train.py"
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


@cache
def rules() -> tuple[Rule, ...]:
    """The rules that the oracle can judge."""
    return tuple(rule for rule in all_rules() if rule.code in BUGS)


def judge(plan: Plan) -> Judgement:
    """Write, run, check, fix and run again one program."""
    text = source(plan)
    runs = observe(plan, text)
    located = examine(text, FILE, rules())
    reported = frozenset(each.diagnostic.code for each in located)
    broken: list[str] = []
    applied: tuple[str, ...] = ()
    if not any(each.changes for each in located):
        fixed, runs_after, reported_after = text, runs, reported
    else:
        outcome = fix(text, FILE, rules(), unsafe=True, keep=lambda _, found: found)
        fixed, applied = outcome.text, tuple(sorted({each.code for each in outcome.applied}))
        again = examine(fixed, FILE, rules())
        reported_after = frozenset(each.diagnostic.code for each in again)
        runs_after = observe(plan, fixed)
        broken += _of_texts(text, fixed, located, again)
        broken += _of_runs(runs, runs_after, frozenset(applied), reported_after)
    equal = None
    if not runs_after.codes and not runs_after.errors:
        equal = trains_as_the_large_batch(plan, runs_after)
        broken += [] if equal else ["does not train as the large batch"]
    return Judgement(
        plan,
        text,
        runs.codes,
        reported,
        undecided(text, reported),
        applied,
        fixed,
        runs_after.codes,
        reported_after,
        equal,
        tuple(broken),
        runs.errors,
    )


@dataclass(frozen=True)
class Runs:
    """The runs of one program, by the micro-batches of a pass and the arguments, and what they show to be wrong."""

    traces: dict[tuple[int, tuple[str, ...]], Trace]
    codes: frozenset[str]

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(trace.error for trace in self.traces.values() if trace.error)


def observe(plan: Plan, text: str) -> Runs:
    """Run a program with and without a tail, and with each arm of its flags."""
    intent = Intent(plan.n if plan.accumulates else 1, finite=plan.finite, restarts=plan.restarts)
    flags: list[tuple[str, ...]] = [("--amp",), ()] if plan.amp in ("arms", "enabled") else [()]
    traces = {(length, flag): run(text, length, flag) for length in (2 * plan.n, 3 * plan.n - 1) for flag in flags}
    return Runs(traces, frozenset(code for trace in traces.values() for code in verdict(trace, intent)))


def trains_as_the_large_batch(plan: Plan, runs: Runs) -> bool:
    """Whether the final weights, and their average, are the reference's; with a tail only where no schedule is as long
    as the data, since its length may be rounded in two ways. A tail may be divided by N, or by its own size."""
    for (micro_batches, _), seen in runs.traces.items():
        if micro_batches % plan.n and plan.scheduler in ("cosine", "onecycle", "linear") and plan.length != "literal":
            continue
        if micro_batches % plan.n and not plan.restarts and plan.scheduler == "epoch":
            continue
        meant = [reference(plan, micro_batches)]
        if micro_batches % plan.n:
            meant.append(reference(plan, micro_batches, by_size=True))
        if not any(_equals(seen, each) for each in meant):
            return False
    return True


def _equals(seen: Trace, meant: Trace) -> bool:
    if not _close(seen.weights, meant.weights):
        return False
    return meant.average is None or (seen.average is not None and _close(seen.average, meant.average))


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and float((a - b).norm()) <= CLOSE * float(b.norm())


def _of_runs(before: Runs, after: Runs, applied: frozenset[str], reported: frozenset[str]) -> Iterator[str]:
    """What the fixed program does that it should not."""
    new = sorted(set(after.errors) - set(before.errors))
    if new:
        yield f"the fixed program fails: {new[0]}"
    if any(each.overrun and not before.traces[key].overrun for key, each in after.traces.items()):
        yield "the fixed program steps its schedule past its end"
    left = after.codes & applied - reported
    if left:
        yield f"fixed, and still there: {sorted(left)}"
    brought = after.codes - before.codes - reported
    if brought:
        yield f"brought by the fix: {sorted(brought)}"


# Texts


def _of_texts(text: str, fixed: str, located: Sequence[Located], again: Sequence[Located]) -> Iterator[str]:
    if fixed != text and any(each.changes for each in again):
        yield "fixing again changes more"
    lost = set(_COMMENT.findall(text)) - set(_COMMENT.findall(fixed)) - _of_removed_statements(text, located)
    if lost:
        yield f"comments lost: {sorted(lost)}"
    for each in located:
        if each.changes and not _only_named_lines(text, each):
            yield f"{each.diagnostic.code} changes lines that it does not name"
    # One random order a program, and every third program: over thousands of them any order comes up.
    if len(located) > 1 and len(text) % 3 == 0 and _one_by_one(text, random.Random(len(text))) != fixed:
        yield "the order of the fixes matters"


def _of_removed_statements(text: str, located: Sequence[Located]) -> set[str]:
    """The comments of statements that a fix takes away for good: they speak of what is gone."""
    gone = (
        change
        for each in located
        if each.diagnostic.fix is not None and each.diagnostic.fix.message.startswith("Remove")
        for change in each.changes
        if not change.content
    )
    return {comment for change in gone for comment in _COMMENT.findall(text[change.start : change.end])}


def _one_by_one(text: str, chance: random.Random) -> str:
    """Apply fixes one at a time, in a random order, until none is left."""
    for _ in range(40):
        located = [each for each in examine(text, FILE, rules()) if each.changes]
        if not located:
            return text
        text = apply(text, chance.choice(located).changes)
    return text


def _only_named_lines(text: str, located: Located) -> bool:
    """Lines outside the spans of a fix's edits are the same before and after it."""
    assert located.diagnostic.fix is not None
    named = {row for edit in located.diagnostic.fix.edits for row in range(edit.span.start.row, edit.span.end.row + 1)}
    kept = [line for row, line in enumerate(text.split("\n"), 1) if row not in named]
    after = iter(apply(text, located.changes).split("\n"))
    return all(any(line == other for other in after) for line in kept)
