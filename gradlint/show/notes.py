"""The sentences below a timeline, which say what its marks do not show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gradlint.report.pages import HOME
from gradlint.show.loops import Loop
from gradlint.simulate.trace import What


@dataclass(frozen=True)
class Engine:
    """What an engine does in a loop without a line in the script, and the page about it."""

    words: str
    page: str


_PAGE = f"{HOME}/blob/main/docs/engines.md"
ENGINES = {
    "accelerator": Engine(
        "Accelerate: `accelerator.backward()` divides the loss by N. Inside `accumulate()`, `step` and `zero_grad` of a prepared "
        "optimizer and `step` of a prepared scheduler do nothing until the window is complete or the loader ends.",
        f"{_PAGE}#accelerate",
    ),
    "deepspeed": Engine(
        "DeepSpeed: the engine divides the loss by N, and its `step` does nothing inside a window. At the end of a window it clips, "
        "steps, zeroes the gradients, and advances the schedule that it was given.",
        f"{_PAGE}#deepspeed",
    ),
}
_WRAPPER = "A wrapper from another file runs the backward pass and the step. gradlint does not know what else it does."


def notes_of(loop: Loop) -> Iterator[str]:
    """Yield what the marks of a loop do not show."""
    through = {event.through for part in loop.passes for _, event in part.events if event.what is What.BACKWARD}
    yield from (engine.words for name, engine in ENGINES.items() if name in through)
    if "wrapper argument" in through:
        yield _WRAPPER
    if not loop.views:
        yield "No optimizer step was found: gradlint does not know when the weights change."
    if loop.trace.ended:
        yield f"The simulated run ends here: {loop.trace.ended}."
