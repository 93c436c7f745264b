"""GRD407 step-schedule-advanced-per-epoch; the page is rules/GRD407.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.edits import Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, unsafe
from gradlint.model.engines.lightning_schedules import EpochSchedule, is_dictionary, per_epoch
from gradlint.model.file import TrainingFile
from gradlint.model.syntax.expressions import last_name, text
from gradlint.rule import file_rule


@file_rule(
    "GRD407",
    "step-schedule-advanced-per-epoch",
    "A schedule's length counts steps, but Lightning advances it once per epoch",
    severity=Severity.WARNING,
)
def step_schedule_advanced_per_epoch(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    for statement in file.statements if facts is not None else ():
        for found in per_epoch(statement, facts) if facts is not None else ():
            fix, note = _per_step(found)
            yield Finding(
                at=found.node,
                message="The schedule counts steps, but Lightning advances it once per epoch",
                reason=f"the length of `{last_name(found.built.func)}` is in steps (`{text(found.length)}`), and nothing says "
                '`"interval": "step"`: the rate hardly moves',
                related=((found.length, "the length in steps"),),
                fix=fix,
                note=note,
            )


def _per_step(found: EpochSchedule) -> Outcome:
    """Add the interval to an existing dictionary, or to a new one."""
    told = ', "interval": "step"'
    if isinstance(found.node, cst.Dict):
        edit = Enclose(found.node.elements[-1].value, "", told)
    elif isinstance(found.node, cst.Call) and is_dictionary(found.node):
        edit = Enclose(found.node.args[-1].value, "", ', interval="step"')
    else:
        edit = Enclose(found.node, '{"scheduler": ', f"{told}}}")
    fix = Fix("Advance it once per step", (edit,))
    return (fix, None) if found.exact else unsafe(fix, "the length may count micro-batches instead of updates")
