"""GRD307 missing-scaler-update; the page is rules/GRD307.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Insert
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Event, Kind, TrainingFile
from gradlint.rule import file_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    message = f"{scene.here} is never followed by `update()`: after the first overflow every step is skipped, "
    message += "and a second `unscale_` raises"
    return Finding(scene.place, message)


@file_rule(
    "GRD307",
    "missing-scaler-update",
    "The GradScaler steps and never updates its factor",
    promise=changing(What.SCALER_UPDATE),
    shown=_shown,
)
def missing_scaler_update(file: TrainingFile) -> Iterator[Finding]:
    for loop in file.loops:
        steps = [s for s in loop.all(Kind.OPTIMIZER_STEP) if s.through == "scaler"]
        # A loop that hands its scaler to another file may see it updated there.
        if not steps or loop.first(Kind.SCALER_UPDATE) is not None or any(s.details.handed_around for s in steps):
            continue
        tail = [s for s in steps if any(s is each for each in loop.tail)]
        step = next((s for s in reversed(steps) if s not in tail), steps[-1])
        fix, note = _update(step, tail[-1] if tail and tail[-1] is not step else None)
        yield Finding(
            at=step.node,
            message=f"`{step.source}` is never followed by `update()`: after the first overflow every step is skipped, "
            "and a second `unscale_` raises",
            fix=fix,
            note=note,
        )


def _update(*steps: Event | None) -> Outcome:
    """A call after each of some steps, behind the loop over optimizers where one stands in it."""
    inserts = []
    for step in filter(None, steps):
        if step.statement is None or step.receiver is None:
            return withheld("the step has no line of its own")
        around = [
            g.node for g in step.path if g.kind == "loop" and isinstance(g.node, cst.For) and _over_optimizers(step, g.node)
        ]
        inserts.append(Insert(around[0] if around else step.statement, f"{text(step.receiver)}.update()", after=True))
    return Fix("Update the scaler after its step", tuple(inserts)), None


def _over_optimizers(step: Event, loop: cst.For) -> bool:
    """The loop's variable is what the scaler steps."""
    return bool(step.args) and isinstance(loop.target, cst.Name) and text(step.args[0].value) == loop.target.value
