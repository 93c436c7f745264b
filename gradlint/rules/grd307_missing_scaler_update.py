"""GRD307 missing-scaler-update; the page is rules/GRD307.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.edits import Insert
from gradlint.finding import Finding, Fix
from gradlint.model.syntax import text
from gradlint.model.types import Kind, TrainingFile
from gradlint.repair import withheld
from gradlint.rule import file_rule


@file_rule("GRD307", "missing-scaler-update", "The GradScaler steps and never updates its factor")
def missing_scaler_update(file: TrainingFile) -> Iterator[Finding]:
    for loop in file.loops:
        steps = [s for s in loop.all(Kind.OPTIMIZER_STEP) if s.through == "scaler"]
        # A loop that hands its scaler to another file may see it updated there.
        if not steps or loop.first(Kind.SCALER_UPDATE) is not None or any(s.handed_around for s in steps):
            continue
        step = steps[-1]
        if step.statement is not None and step.receiver is not None:
            line = f"{text(step.receiver)}.update()"
            fix, note = Fix("Update the scaler after its step", (Insert(step.statement, line, after=True),)), None
        else:
            fix, note = withheld("the step has no line of its own")  # type: ignore[assignment]
        yield Finding(
            at=step.node,
            message=f"`{step.source}` is never followed by `update()`: after the first overflow every step is skipped, "
            "and a second `unscale_` raises",
            fix=fix,
            note=note,
        )
