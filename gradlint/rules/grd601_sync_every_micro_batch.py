"""GRD601 sync-every-micro-batch; the page is rules/GRD601.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Wrap
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import NULLCONTEXT, Outcome, no_sync_header, withheld
from gradlint.model.syntax.expressions import calls_in, dotted
from gradlint.model.types import Cadence, Engine, Event, Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing


@rule(
    "GRD601",
    "sync-every-micro-batch",
    "Data-parallel gradients are reduced on every micro-batch instead of once per window",
    severity=Severity.WARNING,
    promise=changing(synchronisation=True),
)
def sync_every_micro_batch(loop: TrainingLoop) -> Iterator[Finding]:
    if loop.parallel is None or loop.sync_toggled or loop.engine is not Engine.NONE:
        return
    if loop.steps is not None and loop.steps.value == 1:
        return
    for backward in loop.all(Kind.BACKWARD):
        update = loop.update_for(backward)
        if update is None or backward.cadence is not Cadence.PER_MICRO_BATCH:
            continue
        if backward.through not in (None, "scaler", "wrapper argument"):
            continue
        fix, note = _without_sync(backward, update, loop)
        yield Finding(
            at=backward.node,
            message=f"`{backward.source}` reduces the gradients over all processes on every micro-batch, though "
            f"`{update.source}` runs once every {loop.n}: N - 1 of N reductions are wasted",
            related=((update.node, "the gradients are needed here only"),),
            fix=fix,
            note=note,
        )
        return


def _without_sync(backward: Event, update: Event, loop: TrainingLoop) -> Outcome:
    """Forward and backward under `no_sync`, on all micro-batches but the last of the window."""
    if loop.parallel_on_an_arm:
        return withheld("the model is wrapped under a condition, and a plain one has no `no_sync()`")
    header = no_sync_header(loop.parallel or "", update) if loop.parallel else None
    body = getattr(backward.suite, "body", ())
    if header is None or backward.frame is not update.frame or backward.statement is None or backward.statement not in body:
        return withheld("forward and backward go under `no_sync` on all but the last micro-batch; where they begin is not clear")
    last = body.index(backward.statement)
    first = next((i for i, s in enumerate(body) if any(dotted(c.func) == loop.parallel for c in calls_in(s))), None)
    flags = [i for i, s in enumerate(body) if update.boundary is not None and s is update.boundary.guard]
    if first is None or first > last or any(i >= first for i in flags if isinstance(body[i], cst.SimpleStatementLine)):
        return withheld("the forward pass is not in sight, or the boundary is decided after it")
    wrap = Wrap(body[first], body[last], f"with {header}:")
    return Fix("Reduce the gradients once per window", (wrap, NULLCONTEXT), Applicability.UNSAFE), None
