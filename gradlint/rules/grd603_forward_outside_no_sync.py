"""GRD603 forward-outside-no-sync; the page is rules/GRD603.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Move
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.syntax.expressions import calls_in, dotted, last_name, text, walk
from gradlint.model.types import Event, Guard, Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing


@rule(
    "GRD603",
    "forward-outside-no-sync",
    "Only the backward pass is under `no_sync`, which is decided at the forward pass",
    severity=Severity.WARNING,
    promise=changing(synchronisation=True),
)
def forward_outside_no_sync(loop: TrainingLoop) -> Iterator[Finding]:
    # FSDP decides in its backward hooks.
    if loop.sharded:
        return
    for skipped in loop.all(Kind.NO_SYNC):
        if last_name(skipped.node) != "no_sync":
            continue
        for backward in loop.all(Kind.BACKWARD):
            block = _block(backward, skipped)
            # The loss was computed before the block was entered.
            if block is None or backward.details.loss_index is None or backward.details.loss_index > block.index:
                continue
            fix, note = _take_in(block, backward)
            yield Finding(
                at=skipped.node,
                message=f"Only `{backward.source}` is under `{skipped.source}`; DistributedDataParallel decides at the forward pass, "
                "which ran outside: the gradients are reduced all the same",
                related=((backward.node, "the backward pass stands here"),),
                fix=fix,
                note=note,
            )
            break


def _take_in(block: Guard, backward: Event) -> Outcome:
    """The line above the block is the forward pass: take it in."""
    around = getattr(block.suite, "body", ())
    inside = getattr(getattr(block.node, "body", None), "body", ())
    place = next((i for i, s in enumerate(around) if s is block.node), 0)
    names = {n.value for n in walk(backward.loss) if isinstance(n, cst.Name)} if backward.loss is not None else set()
    above = around[place - 1] if place else None
    if not isinstance(above, cst.SimpleStatementLine) or not inside:
        return withheld("take the forward pass into the block")
    targets = {n.value for t in walk(above) if isinstance(t, cst.AssignTarget) for n in walk(t) if isinstance(n, cst.Name)}
    model = _model(block)
    forwards = model is not None and any(dotted(call.func) == text(model) for call in calls_in(above))
    if not targets & names or not forwards:
        return withheld("take the forward pass into the block")
    return Fix("Take the forward pass in", (Move(above, inside[0]),), Applicability.UNSAFE), None


def _model(block: Guard) -> cst.BaseExpression | None:
    calls = calls_in(block.test) if block.test is not None else ()
    return next((c.func.value for c in calls if isinstance(c.func, cst.Attribute) and c.func.attr.value == "no_sync"), None)


def _block(backward: Event, skipped: Event) -> Guard | None:
    for guard in backward.path:
        if guard.kind == "with" and guard.test is not None and any(n is skipped.node for n in walk(guard.test)):
            return guard
    return None
