"""The training of a file that has no timeline: no run reaches it, an engine runs it, or another timeline includes it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import libcst as cst

from gradlint.analysis.loop_verdicts import unreached
from gradlint.analysis.validation import Validator
from gradlint.diagnostic import LoopVerdict
from gradlint.model.syntax.expressions import brief, last_name, walk
from gradlint.show.grid import Undrawn, Unknown
from gradlint.show.reading import Reading
from gradlint.simulate.imports import imported
from gradlint.simulate.roots import backwards

_LIGHTNING = (
    "Lightning runs it by itself: it divides the loss, and clips, steps, and zeroes the gradients at the end of each window and on "
    "the last batch of an epoch"
)
_TRAINER = (
    "the Hugging Face Trainer runs it: it divides the loss over the true window, and clips, steps, advances the schedule and "
    "zeroes the gradients at the end of each window and of each epoch"
)


def undrawn(runs: Validator, verdicts: Sequence[LoopVerdict], drawn: Collection[int], reading: Reading) -> Iterator[Undrawn]:
    """Yield what is known about training that is not drawn. `drawn` are the rows of the loops that are."""
    automatic = {reading.source.row_of(method): method for method in _automatic(reading.source.statements)}
    for each in verdicts:
        if each.line not in drawn:
            note = _LIGHTNING if automatic.pop(each.line, None) is not None else ""
            function = reading.function_at(each.line)
            yield Undrawn(reading.place(each.line), function, answer(each, reading), unknown(each, reading), note)
    said = {each.reason_line for each in verdicts}
    for call in unreached(runs):
        row = reading.source.row_of(call)
        if row not in said:
            yield Undrawn(reading.at(call), reading.function(call), note=f"no simulated run reaches `{brief(call)}`")
    for method in automatic.values():
        yield Undrawn(reading.at(method), reading.function(method.body), note=_LIGHTNING)


def unknown(verdict: LoopVerdict, reading: Reading, help: str = "") -> Unknown | None:
    """Return why a loop cannot be judged, or None if it can."""
    if verdict.answer != "unknown":
        return None
    return Unknown(verdict.reason, reading.place(verdict.reason_line or verdict.line), help)


def answer(verdict: LoopVerdict, reading: Reading) -> str:
    """Return a verdict on one line, with the place of its reason as a reader knows it."""
    why = unknown(verdict, reading)
    return verdict.words if why is None else f"unknown: {why.why} ({why.at.words})"


def _automatic(statements: Sequence[cst.BaseStatement]) -> Iterator[cst.FunctionDef]:
    """Yield the methods that Lightning calls, and that leave the rest of the training to it."""
    nodes = [each for statement in statements for each in walk(statement)]
    if not _imports(nodes, ("lightning", "pytorch_lightning")):
        return
    for cls in (each for each in nodes if isinstance(each, cst.ClassDef)):
        own = [each for each in cls.body.body if isinstance(each, cst.FunctionDef)]
        yield from (each for each in own if each.name.value == "training_step" and not backwards([each]))


def why_empty(statements: Sequence[cst.BaseStatement]) -> str:
    """Return why a file has no loop to draw."""
    why = "no backward pass was found, so there is no training loop to show"
    return f"{why}; {_TRAINER}" if _uses_trainer(statements) else why


def _uses_trainer(statements: Sequence[cst.BaseStatement]) -> bool:
    """Whether the file builds a Trainer of transformers, or derives a class from one."""
    nodes = [each for statement in statements for each in walk(statement)]
    made = [each.func for each in nodes if isinstance(each, cst.Call)]
    made += [base.value for each in nodes if isinstance(each, cst.ClassDef) for base in each.bases]
    return _imports(nodes, ("transformers",)) and any((last_name(each) or "").endswith("Trainer") for each in made)


def _imports(nodes: Sequence[cst.CSTNode], packages: tuple[str, ...]) -> bool:
    paths = (path for each in nodes if isinstance(each, (cst.Import, cst.ImportFrom)) for _, path in imported(each))
    return any(path.startswith(packages) for path in paths)
