"""GRD501 adam-weight-decay; the page is rules/GRD501.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.decoupled_decay import decoupled
from gradlint.model.file import TrainingFile
from gradlint.model.syntax.expressions import text
from gradlint.rule import file_rule


@file_rule(
    "GRD501",
    "adam-weight-decay",
    "Adam turns `weight_decay` into an L2 penalty, not weight decay",
    severity=Severity.WARNING,
)
def adam_weight_decay(file: TrainingFile) -> Iterator[Finding]:
    for built in file.optimizers:
        if built.decoupled or (built.decoupled is None and not built.decays):
            continue
        decay = next((node for node, nonzero in built.decays if nonzero), None)
        if decay is None:
            continue
        name = built.qualified.rsplit(".", 1)[-1]
        fix, note = decoupled(built, name, file)
        yield Finding(
            at=built.call,
            message=f"`{name}` turns `weight_decay` into an L2 penalty",
            reason=f"`weight_decay={text(decay)}` is added to the gradient, so {name} scales it down for weights with large gradients",
            fix=fix,
            note=note,
        )
