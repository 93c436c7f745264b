"""GRD302 clip-without-unscale; the page is rules/GRD302.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.edits import Insert
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, for_each_optimizer, withheld
from gradlint.model.syntax.expressions import dotted, text
from gradlint.model.types import Cadence, Event, Kind, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    message = f"{scene.here} compares its threshold with gradients that a GradScaler has scaled, "
    message += "at first 65536 times too large: unscale them first"
    return Finding(scene.place, message, ((scene.step.node, "the step comes after"),))


@rule(
    "GRD302",
    "clip-without-unscale",
    "Gradients are clipped while they still carry the GradScaler's factor",
    promise=changing(What.UNSCALE),
    shown=_shown,
)
def clip_without_unscale(loop: TrainingLoop) -> Iterator[Finding]:
    for clip in loop.all(Kind.CLIP):
        scaled = [b for b in loop.all(Kind.BACKWARD) if b.scaled and not exclusive(b.path, clip.path) and b.index < clip.index]
        steps = [
            s
            for s in loop.update_of(clip)
            if s.kind is Kind.OPTIMIZER_STEP
            and s.through == "scaler"
            and not exclusive(s.path, clip.path)
            and s.index > clip.index
        ]
        if not scaled or not steps or _unscales_itself(clip) or _unscaled_before(clip, loop):
            continue
        early = loop.update_for(clip) is not None and clip.cadence in (Cadence.PER_MICRO_BATCH, Cadence.INSIDE_WINDOW)
        if early and any(u.cadence is Cadence.PER_UPDATE for u in loop.all(Kind.UNSCALE)):
            continue  # the clip has to move behind it
        fix, note = withheld("the clip belongs into the update first") if early else _unscale(clip, scaled[0], steps)
        yield Finding(
            at=clip.node,
            message=f"`{clip.source}` compares its threshold with gradients that `{_owner(scaled[0])}` has scaled, "
            "at first 65536 times too large: unscale them first",
            related=((scaled[0].node, "the loss is scaled here"), (steps[0].node, "the gradients are unscaled only here")),
            fix=fix,
            note=note,
        )


def _owner(backward: Event) -> str:
    return text(backward.receiver) if backward.receiver is not None else "the GradScaler"


def _unscales_itself(clip: Event) -> bool:
    """`accelerator.clip_grad_norm_`, `fabric.clip_gradients` and the like unscale on their own, or are told the factor."""
    if clip.details.told_scale:
        return True
    owner = dotted(clip.receiver) if clip.receiver is not None else None
    return owner is not None and owner.rsplit(".", 1)[-1] in ("accelerator", "fabric", "trainer", "self")


def _unscaled_before(clip: Event, loop: TrainingLoop) -> bool:
    return any(
        u.kind is Kind.UNSCALE and u.index < clip.index and not exclusive(u.path, clip.path)
        for u in (*loop.update_of(clip), *loop.all(Kind.UNSCALE))
        if clip not in loop.tail or u in loop.tail or u.cadence is Cadence.PER_MICRO_BATCH
    )


def _unscale(clip: Event, backward: Event, steps: list[Event]) -> Outcome:
    step = steps[0]
    if clip.statement is None:
        return withheld("the clip is part of a larger statement")
    if step.frame is not clip.frame or step.receiver is None or not step.args:
        return withheld("the scaler and the optimizer have no names at the clip")
    arms = {(g.group, g.arm) for g in clip.path}
    both = [e for e in (backward, step) if any(g.kind == "branch" and (g.group, g.arm) not in arms for g in e.path)]
    if len(both) == 2:
        return withheld("the clip also runs where nothing is scaled")
    lines = for_each_optimizer(steps, clip, f"{text(step.receiver)}.unscale_({{}})")
    return Fix("Unscale the gradients first", (Insert(clip.statement, lines),)), None
