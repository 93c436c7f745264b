"""From the drawn loops of a file to the text of a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gradlint.prove.by_import import by_import
from gradlint.prove.by_statements import by_statements
from gradlint.prove.document import Step, document
from gradlint.prove.script import Known, NoProof, Script
from gradlint.show.loops import Loop
from gradlint.show.timeline import Drawn
from gradlint.simulate.trace import What

NAME = "training"
"""What the training function of a test is called."""
_TRAINING = (
    What.BACKWARD,
    What.ZERO,
    What.RESCALE,
    What.CLIP,
    What.UNSCALE,
    What.STEP,
    What.SCALER_UPDATE,
    What.SCHEDULE,
    What.AVERAGE,
    What.COUNT,
)


@dataclass(frozen=True)
class Proof:
    """The text of a test file, "" if there is nothing to test, and for each loop without a test a sentence that says why."""

    text: str
    left_out: tuple[str, ...] = ()


def prove(drawn: Drawn, path: Path, line: int | None = None) -> Proof:
    """Write a test for every accumulating loop of a script, or for the one at a line."""
    steps: list[Step] = []
    left_out = [f"{path}: {drawn.picture.note}"] if drawn.picture.note else []
    for number, function, made in _steps(drawn, path, line):
        if isinstance(made, str):
            left_out.append(f"{path}:{number} {function}: {made}")
        else:
            steps.append(made)
    left_out += [f"{path}:{each.at.pointer} {each.function}: {each.words}" for each in drawn.picture.undrawn if line is None]
    if line is not None and not steps and not left_out:
        left_out.append(f"{path}:{line}: no training loop begins in this line or around it")
    text = document(path.name, _distinct(steps)) if steps else ""
    return Proof(text, tuple(left_out))


def _steps(drawn: Drawn, path: Path, line: int | None) -> Iterator[tuple[str, str, Step | str]]:
    text = drawn.reading.source.text
    for loop, _, timeline in drawn.loops:
        if line is not None and not _contains(drawn, loop, line):
            continue
        made: Step | str
        try:
            made = _step(drawn, loop, path, text)
            if timeline.unknown is not None:
                made = f"gradlint cannot judge this loop: {timeline.unknown.why} ({timeline.unknown.at.words})"
        except NoProof as error:
            made = str(error)
        yield timeline.at.pointer, timeline.function, made


def _step(drawn: Drawn, loop: Loop, path: Path, text: str) -> Step:
    if path.suffix == ".ipynb":
        raise NoProof("it is in a notebook: move the training into a function of a module, and run the command on that")
    if loop.size < 2 and not loop.steps:
        raise NoProof("the weights change after every micro-batch, so there is no accumulation to test")
    source, trace = drawn.reading.source, loop.trace

    def rows(*kinds: What) -> frozenset[int]:
        nodes = (each for event in trace.of(*kinds) for each in (event.node, *event.stack))
        return frozenset(row for each in nodes if (row := source.row_of(each)) is not None)

    row = source.row_of(loop.node) if loop.node is not None else None
    known = Known(row or 0, loop.steps, loop.size, rows(What.PASS), rows(*_TRAINING), rows(What.STEP), dict(trace.actual))
    script = Script(path, text, known)
    step = by_import(script, NAME) or by_statements(script, NAME)
    try:
        ast.parse(document(path.name, [step]))
    except SyntaxError as error:
        raise NoProof("its statements cannot be taken out of their place") from error
    return step


def _contains(drawn: Drawn, loop: Loop, line: int) -> bool:
    span = drawn.reading.source.span(loop.node) if loop.node is not None else None
    if span is None:
        return False
    first, last = (drawn.reading.source.row_column(each)[0] for each in span)
    return first <= line <= last


def _distinct(steps: list[Step]) -> list[Step]:
    """The steps with a number each, if there are several."""
    return steps if len(steps) == 1 else [replace(each, name=f"{NAME}_{at}") for at, each in enumerate(steps, 1)]
