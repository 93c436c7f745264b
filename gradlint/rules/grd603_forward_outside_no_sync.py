"""GRD603 forward-outside-no-sync; the page is rules/GRD603.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.model.syntax import last_name, walk
from gradlint.model.types import Event, Guard, Kind, TrainingLoop
from gradlint.rule import rule


@rule(
    "GRD603",
    "forward-outside-no-sync",
    "Only the backward pass is under `no_sync`, which is decided at the forward pass",
    severity=Severity.WARNING,
)
def forward_outside_no_sync(loop: TrainingLoop) -> Iterator[Finding]:
    for skipped in loop.all(Kind.NO_SYNC):
        if last_name(skipped.node) != "no_sync":
            continue
        for backward in loop.all(Kind.BACKWARD):
            block = _block(backward, skipped)
            # The loss was computed before the block was entered.
            if block is None or backward.loss_index is None or backward.loss_index > block.index:
                continue
            yield Finding(
                at=skipped.node,
                message=f"Only `{backward.source}` is under `{skipped.source}`; DistributedDataParallel decides at the forward pass, "
                "which ran outside: the gradients are reduced all the same",
                related=((backward.node, "the backward pass stands here"),),
                note="no fix is offered: take the forward pass into the block",
            )
            break


def _block(backward: Event, skipped: Event) -> Guard | None:
    for guard in backward.path:
        if guard.kind == "with" and guard.test is not None and any(n is skipped.node for n in walk(guard.test)):
            return guard
    return None
