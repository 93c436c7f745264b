"""GRD502 batchnorm-under-accumulation; the page is rules/GRD502.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.model.syntax import calls_in, last_name
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
        for call in calls_in(statement):
            if last_name(call.func) in _NORMS:
                yield Finding(
                    at=call,
                    message=f"`{last_name(call.func)}` normalises by the statistics of one micro-batch: "
                    "accumulating gradients does not enlarge the batch that it sees",
                    related=((accumulating.node, "the window ends here"),),
                    note="no fix is offered: GroupNorm needs a number of groups that divides the channels",
                )
                return
