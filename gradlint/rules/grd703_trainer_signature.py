"""GRD703 trainer-signature; the page is rules/GRD703.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.edits import Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, unsafe, withheld
from gradlint.model.engines.hugging_face import COUNT, refusing_loss
from gradlint.model.file import TrainingFile
from gradlint.rule import file_rule


@file_rule(
    "GRD703",
    "trainer-signature",
    "A Trainer's `compute_loss` does not take `num_items_in_batch`, which the Trainer passes",
    severity=Severity.WARNING,
)
def trainer_signature(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    for statement in file.statements if facts is not None else ():
        method = refusing_loss(statement, facts) if facts is not None else None
        if method is not None:
            fix, note = _take(method)
            yield Finding(
                at=method.name,
                message="`compute_loss` does not take `num_items_in_batch`",
                reason="the Trainer passes it since Transformers 4.46: the first training step raises a TypeError",
                fix=fix,
                note=note,
            )


def _take(method: cst.FunctionDef) -> Outcome:
    """Add the count as the last parameter, with the same default as in the Trainer's method."""
    params = (*method.params.params, *method.params.kwonly_params)
    if isinstance(method.params.star_arg, cst.Param) or not params:
        return withheld("gradlint does not see all parameters")
    last = params[-1]
    end = last.default or (last.annotation.annotation if last.annotation is not None else last.name)
    if getattr(end, "lpar", ()):
        return withheld("the default of the last parameter is in parentheses")
    fix = Fix("Accept the number of items", (Enclose(end, "", f", {COUNT}=None"),))
    return unsafe(fix, "you may still need to scale the loss by the count (GRD702)")
