"""GRD602 sync-skipped-at-boundary; the page is rules/GRD602.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.edits import Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import NULLCONTEXT, Outcome, inside_window, no_sync_header, withheld
from gradlint.fixes.switch_by_trace import decide_as_the_step
from gradlint.model.syntax.expressions import text, walk
from gradlint.model.types import Cadence, Event, Kind, Phase, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.reducing import TAIL
from gradlint.simulate.reductions import SHARDS
from gradlint.simulate.scene import Scene


def _shown(scene: Scene) -> Finding:
    fix, note = decide_as_the_step(scene)
    when = "on the last micro-batch of the data" if scene.fault.why == TAIL else "on the micro-batch that closes a window"
    harm = "the processes drift apart" if scene.event.parallel != SHARDS else "the shards that it steps lack them"
    message = f"{scene.here} leaves the reduction out {when}: {scene.there} uses gradients that are not reduced, and {harm}"
    return Finding(scene.place, message, ((scene.step.node, "the step that comes after"),), fix, note)


@rule(
    "GRD602",
    "sync-skipped-at-boundary",
    "Gradients are not synchronised on the micro-batch that closes the window",
    promise=changing(synchronisation=True),
    shown=_shown,
)
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
        if update is None:
            continue
        if not (always or skipped.cadence is Cadence.PER_UPDATE or _out_of_phase(skipped, update)):
            # Where the forward pass runs outside, DistributedDataParallel reduces all the same.
            outside = inside[0].details.loss_index is not None and inside[0].details.loss_index < skipped.index
            yield from () if outside else _unreduced_tail(skipped, loop)
            continue
        fix, note = _complement(skipped, update)
        yield Finding(
            at=skipped.node,
            message=f"`{skipped.source}` is active when `{update.source}` runs: the gradients are never reduced, "
            "and the processes drift apart",
            related=((update.node, "every process steps on its own gradients here"),),
            fix=fix,
            note=note,
        )


def _unreduced_tail(skipped: Event, loop: TrainingLoop) -> Iterator[Finding]:
    """The last micro-batch of the data closes no full window, and a step after the loop uses its gradients."""
    step = next((event for event in loop.tail if event.kind is Kind.OPTIMIZER_STEP), None)
    if step is None or skipped.boundary is None or skipped.boundary.flush or skipped.boundary.modulus is None:
        return
    yield Finding(
        at=skipped.node,
        message=f"`{skipped.source}` is active on the last micro-batch of the data, and `{step.source}` uses its gradients after the "
        "loop: they are never reduced, and the processes drift apart",
        related=((step.node, "every process steps on its own gradients here"),),
        note="no fix is offered: synchronise on the last micro-batch of the data too",
    )


def _complement(skipped: Event, update: Event) -> Outcome:
    """The complement of the guard of the step decides about `no_sync`."""
    if skipped.frame is not update.frame:
        return withheld("the guard of the step stands in another function")
    if skipped.cadence is Cadence.INSIDE_WINDOW and skipped.boundary is not None:
        test = inside_window(update)
        if test is None:
            return withheld("the guard of the step is not known from the start of the iteration")
        return Fix("Synchronise on the boundary", (Replace(skipped.boundary.test, test),)), None
    header = no_sync_header(text(skipped.receiver), update) if skipped.receiver is not None else None
    if header is None or skipped.cadence is not Cadence.PER_MICRO_BATCH:
        return withheld("leave `no_sync` on the boundary, with the complement of the guard of the step")
    return Fix("Synchronise on the boundary", (Replace(skipped.node, header), NULLCONTEXT)), None


def _out_of_phase(skipped: Event, update: Event) -> bool:
    """`no_sync` is left on another micro-batch than the one that steps."""
    mine, other = skipped.boundary, update.boundary
    if skipped.cadence is not Cadence.INSIDE_WINDOW or mine is None or other is None or mine.modulus is None:
        return False
    return Phase.UNKNOWN not in (mine.phase, other.phase) and mine.phase is not other.phase


def _within(backward: Event, skipped: Event) -> bool:
    return any(g.kind == "with" and g.test is not None and any(n is skipped.node for n in walk(g.test)) for g in backward.path)
