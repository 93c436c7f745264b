"""GRD502 batchnorm-under-accumulation; the page is rules/GRD502.md."""

from __future__ import annotations

import math
from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.syntax.expressions import last_name, literal, text
from gradlint.model.types import Cadence, Kind, TrainingFile
from gradlint.rule import file_rule

_NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d"})


@file_rule(
    "GRD502",
    "batchnorm-under-accumulation",
    "Batch statistics come from micro-batches, not from the effective batch",
    severity=Severity.INFO,
)
def batchnorm_under_accumulation(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    accumulating = next(
        (s for loop in file.loops for s in loop.all(Kind.OPTIMIZER_STEP) if s.cadence is Cadence.PER_UPDATE and loop.steps), None
    )
    if facts is None or accumulating is None:
        return
    for statement in facts.statements:
        # A class that this file never builds trains somewhere else.
        if isinstance(statement, cst.ClassDef) and statement.name.value not in facts.called:
            continue
        for call in facts.tree.calls(statement):
            if last_name(call.func) in _NORMS:
                fix, note = _grouped(call)
                yield Finding(
                    at=call,
                    message=f"`{last_name(call.func)}` normalises by the statistics of one micro-batch: "
                    "accumulating gradients does not enlarge the batch that it sees",
                    related=((accumulating.node, "the window ends here"),),
                    fix=fix,
                    note=note,
                )


def _grouped(call: cst.Call) -> Outcome:
    """GroupNorm with as many groups as divide both 32 and the channels, of two channels at least: one alone is instance norm."""
    channels = literal(call.args[0].value) if len(call.args) == 1 and call.args[0].keyword is None else None
    if not isinstance(channels, int) or not isinstance(call.func, cst.Attribute):
        return withheld("the number of channels is not a literal here")
    groups = math.gcd(32, channels)
    if channels < 2:
        return withheld("one channel makes no group")
    new = f"{text(call.func.value)}.GroupNorm({groups if groups < channels else channels // 2}, {channels})"
    return Fix("Normalise by groups of channels", (Replace(call, new),), Applicability.UNSAFE), None
