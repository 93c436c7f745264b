"""GRD304 unscale-inside-window; the page is rules/GRD304.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.finding import Finding
from gradlint.fixes.shared import into_update
from gradlint.model.types import Cadence, Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.trace import What


@rule(
    "GRD304",
    "unscale-inside-window",
    "Gradients are unscaled before the window is complete",
    promise=changing(What.UNSCALE),
)
def unscale_inside_window(loop: TrainingLoop) -> Iterator[Finding]:
    for unscale in loop.all(Kind.UNSCALE):
        update = loop.update_for(unscale)
        if update is None or unscale.cadence not in (Cadence.PER_MICRO_BATCH, Cadence.INSIDE_WINDOW):
            continue
        if loop.steps is not None and loop.steps.value == 1:
            continue
        fix, note = into_update(unscale, update, loop, "Unscale once per update, before clip and step")
        yield Finding(
            at=unscale.node,
            message=f"`{unscale.source}` runs on every micro-batch, `{update.source}` once every {loop.n}: "
            "the second call of a window raises, or scaled and unscaled gradients mix",
            related=((update.node, "the scaler steps here"),),
            fix=fix,
            note=note,
        )
