"""GRD601 sync-every-micro-batch; the page is rules/GRD601.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.model.types import Cadence, Engine, Kind, TrainingLoop
from gradlint.rule import rule


@rule(
    "GRD601",
    "sync-every-micro-batch",
    "Data-parallel gradients are reduced on every micro-batch instead of once per window",
    severity=Severity.WARNING,
)
def sync_every_micro_batch(loop: TrainingLoop) -> Iterator[Finding]:
    if not loop.parallel or loop.sync_toggled or loop.engine is not Engine.NONE:
        return
    if loop.steps is not None and loop.steps.value == 1:
        return
    for backward in loop.all(Kind.BACKWARD):
        update = loop.update_for(backward)
        if update is None or backward.cadence is not Cadence.PER_MICRO_BATCH:
            continue
        if backward.through not in (None, "scaler", "wrapper argument"):
            continue
        yield Finding(
            at=backward.node,
            message=f"`{backward.source}` reduces the gradients over all processes on every micro-batch, though "
            f"`{update.source}` runs once every {loop.n}: N - 1 of N reductions are wasted",
            related=((update.node, "the gradients are needed here only"),),
            note="no fix is offered: forward and backward go under `model.no_sync()` on all but the last micro-batch",
        )
        return
