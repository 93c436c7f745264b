"""GRD308 clip-before-backward; the page is rules/GRD308.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.finding import Finding
from gradlint.fixes.clip_by_trace import move_behind_backward
from gradlint.fixes.shared import withheld
from gradlint.model.engines.lightning_steps import clips_of_steps
from gradlint.model.file import TrainingFile
from gradlint.rule import file_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    fix, note = move_behind_backward(scene, "Clip between the backward pass and the step")
    backward = next(event.node for event in scene.view.backwards)
    message = f"{brief(scene.place)} clips before the backward pass"
    reason = f"{scene.quoted(backward)} computes the gradients later, and {scene.there} uses them unclipped"
    return Finding(scene.place, message, reason, ((backward, "the gradients are computed only here"),), fix, note)


@file_rule(
    "GRD308",
    "clip-before-backward",
    "Gradients are clipped before the backward pass that computes them",
    promise=changing(What.CLIP, What.UNSCALE),
    shown=_shown,
)
def clip_before_backward(file: TrainingFile) -> Iterator[Finding]:
    for clip in clips_of_steps(file.facts) if file.facts is not None else ():
        fix, note = withheld("`Trainer(gradient_clip_val=...)` or `configure_gradient_clipping` clips at the right time")
        yield Finding(
            at=clip,
            message=f"{brief(clip)} clips before the backward pass",
            reason="the Trainer runs the backward pass once `training_step` has returned: the gradients of this batch are not clipped",
            fix=fix,
            note=note,
        )
