"""GRD602 sync-skipped-at-boundary; the page is rules/GRD602.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.finding import Finding
from gradlint.model.syntax import walk
from gradlint.model.types import Cadence, Event, Kind, TrainingLoop
from gradlint.rule import rule


@rule("GRD602", "sync-skipped-at-boundary", "Gradients are not synchronised on the micro-batch that closes the window")
def sync_skipped_at_boundary(loop: TrainingLoop) -> Iterator[Finding]:
    if loop.steps is not None and loop.steps.value == 1:
        return
    for skipped in loop.all(Kind.NO_SYNC):
        inside = [b for b in loop.all(Kind.BACKWARD) if _within(b, skipped)]
        if not inside or skipped.args:
            continue
        update = loop.update_for(inside[0])
        others = any(not _within(b, skipped) for b in loop.all(Kind.BACKWARD))
        always = skipped.cadence is Cadence.PER_MICRO_BATCH and not others
        if update is None or not (always or skipped.cadence is Cadence.PER_UPDATE):
            continue
        yield Finding(
            at=skipped.node,
            message=f"`{skipped.source}` is active when `{update.source}` runs: the gradients are never reduced, "
            "and the processes drift apart",
            related=((update.node, "every process steps on its own gradients here"),),
            note="no fix is offered: leave `no_sync` on the boundary, with the complement of the guard of the step",
        )


def _within(backward: Event, skipped: Event) -> bool:
    return any(
        g.kind == "with" and g.test is not None and any(n is skipped.node for n in walk(g.test)) for g in backward.path
    )
