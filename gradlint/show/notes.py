"""The sentences below a timeline: what an engine does in it, and which training no run reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.model.syntax.expressions import last_name, walk, walk_all
from gradlint.report.pages import HOME
from gradlint.show.grid import Unrun
from gradlint.show.loops import Loop
from gradlint.show.reading import Reading, brief
from gradlint.simulate.imports import imported
from gradlint.simulate.roots import backwards
from gradlint.simulate.simulation import Simulation, foreign, met_in
from gradlint.simulate.stops import TOO_LONG
from gradlint.simulate.trace import What


@dataclass(frozen=True)
class Engine:
    """What an engine does in a loop without a line in the script, and the page that says so."""

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
_LIGHTNING = (
    "Lightning runs it by itself: it divides the loss, and clips, steps, and zeroes the gradients at the end of each window and on "
    "the last batch of an epoch"
)
_TRAINER = (
    "the Hugging Face Trainer runs it: it divides the loss over the true window, and clips, steps, advances the schedule and "
    "zeroes the gradients at the end of each window and of each epoch"
)


def notes_of(loop: Loop) -> Iterator[str]:
    """What the marks of a loop do not show."""
    through = {event.through for part in loop.passes for _, event in part.events if event.what is What.BACKWARD}
    yield from (engine.words for name, engine in ENGINES.items() if name in through)
    if "wrapper argument" in through:
        yield _WRAPPER
    if not loop.views:
        yield "No optimizer step was found: gradlint does not know when the weights change."
    if loop.trace.ended:
        yield f"The simulated run ends here: {loop.trace.ended}."


def unrun(simulations: Sequence[Simulation], statements: Sequence[cst.BaseStatement], reading: Reading) -> Iterator[Unrun]:
    """The functions with backward passes that no run comes to, and what an engine runs without one in the text."""
    if foreign(walk_all(statements)):
        return
    met = met_in(simulations)
    given_up = any(each.given_up for each in simulations)
    seen: set[str] = set()
    for call in backwards(statements):
        name = reading.function(call)
        if id(call) not in met and name not in seen:
            seen.add(name)
            why = TOO_LONG if given_up else f"no simulated run reaches `{brief(call)}`"
            yield Unrun(reading.at(call), name, f"unknown: {why}")
    for method in _automatic(statements):
        yield Unrun(reading.at(method), reading.function(method.body), _LIGHTNING, unknown=False)


def _automatic(statements: Sequence[cst.BaseStatement]) -> Iterator[cst.FunctionDef]:
    """The methods that Lightning calls and that leave the rest to it."""
    nodes = [each for statement in statements for each in walk(statement)]
    if not _imports(nodes, ("lightning", "pytorch_lightning")):
        return
    for cls in (each for each in nodes if isinstance(each, cst.ClassDef)):
        own = [each for each in cls.body.body if isinstance(each, cst.FunctionDef)]
        yield from (each for each in own if each.name.value == "training_step" and not backwards([each]))


def why_empty(statements: Sequence[cst.BaseStatement]) -> str:
    """Why a file has no loop to draw."""
    why = "no backward pass was found, so there is no training loop to show"
    return f"{why}; {_TRAINER}" if _uses_trainer(statements) else why


def _uses_trainer(statements: Sequence[cst.BaseStatement]) -> bool:
    """Whether the file builds a Trainer of transformers, or derives one."""
    nodes = [each for statement in statements for each in walk(statement)]
    made = [each.func for each in nodes if isinstance(each, cst.Call)]
    made += [base.value for each in nodes if isinstance(each, cst.ClassDef) for base in each.bases]
    return _imports(nodes, ("transformers",)) and any((last_name(each) or "").endswith("Trainer") for each in made)


def _imports(nodes: Sequence[cst.CSTNode], packages: tuple[str, ...]) -> bool:
    paths = (path for each in nodes if isinstance(each, (cst.Import, cst.ImportFrom)) for _, path in imported(each))
    return any(path.startswith(packages) for path in paths)
