"""From the model of a file to its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from gradlint.analysis.validation import Validator
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Boundary, Cadence, Engine, Event, Kind, Steps, TrainingFile, TrainingLoop
from gradlint.rule import Rule
from gradlint.show.clock import Clock, clock_of, columns_of
from gradlint.show.grid import Column, Grid, Mark, Picture, Row, Timeline, Verdict
from gradlint.show.ideal import plan
from gradlint.show.lanes import Lane, by_lightning, lanes_of
from gradlint.show.reading import Reading
from gradlint.show.verdicts import Charge, accused, answers, charges

_PACED = (Cadence.PER_UPDATE, Cadence.INSIDE_WINDOW)
_LONGEST_NAME = 40


def picture(model: TrainingFile, reading: Reading, rules: Sequence[Rule[Any]], runs: Validator) -> Picture:
    """Draw every training loop of a file; what is wrong is what the rules find and no comment silences."""
    found = charges(model, reading, rules, runs)
    told: set[int] = set()
    timelines = []
    for loop, answer in zip(model.loops, answers(model.loops, reading, runs), strict=True):
        own = [(charge, accused(charge, loop)) for charge in found]
        mine = [(charge, events) for charge, events in own if events or charge.loop is loop]
        told.update(id(charge) for charge, _ in mine)
        timelines.append(_timeline(loop, mine, reading, answer))
    rest = [_verdict(charge, reading, drawn=False) for charge in found if id(charge) not in told]
    return Picture(reading.filename, tuple(timelines), tuple(dict.fromkeys(rest)), None if timelines else _why_empty(model))


def _timeline(loop: TrainingLoop, mine: Sequence[tuple[Charge, tuple[Event, ...]]], reading: Reading, answer: str) -> Timeline:
    codes: dict[int, tuple[str, ...]] = {}
    for charge, events in mine:
        for event in events:
            codes[id(event)] = tuple(sorted({*codes.get(id(event), ()), charge.code}))
    found = {code for each in codes.values() for code in each}
    steps = _steps_of(loop)
    clock = clock_of(loop, steps.value if steps else None, windows=_windows(loop, found), tail=_has_tail(loop, found))
    lanes = lanes_of(loop, clock, codes)
    if not by_lightning(loop) and not any(lane.kind is Kind.OPTIMIZER_STEP for lane in lanes):
        lanes.append(_unknown_step(clock))
    drawn = plan(lanes, loop, clock, codes)
    columns, used = _used(clock, (*drawn.rows, *drawn.better))
    grid = Grid(columns, tuple(_row(lane, used, reading) for lane in drawn.rows))
    better = Grid(columns, tuple(replace(_row(lane, used, reading), at=()) for lane in drawn.better))
    verdicts = tuple(dict.fromkeys(_verdict(charge, reading, drawn=bool(events)) for charge, events in mine))
    return Timeline(
        reading.filename,
        reading.at(loop.node),
        loop.function,
        _steps_words(steps, clock, lanes),
        grid,
        better if found else None,
        tuple(_notes(loop, clock, lanes)),
        verdicts,
        f"wrong: {', '.join(sorted({each.code for each in verdicts}))}" if verdicts else answer,
    )


def _windows(loop: TrainingLoop, found: set[str]) -> bool:
    """Whether several micro-batches share an update, as far as the optimizer's steps tell."""
    steps = {event.cadence for event in loop.all(Kind.OPTIMIZER_STEP) if loop.holds(event)}
    if "GRD204" in found or by_lightning(loop) or loop.walks.windowed:
        return True
    paced = any(event.cadence in _PACED for event in loop.events if event.kind is not Kind.REPORT)
    return paced and steps != {Cadence.PER_MICRO_BATCH}


def _steps_of(loop: TrainingLoop) -> Steps | None:
    """N, from the step's guard, or from what else shows how long a window is meant to be."""
    if loop.steps is not None:
        return loop.steps
    if loop.engine_steps is not None and (loop.engine is not Engine.NONE or by_lightning(loop)):
        return loop.engine_steps
    guards = [event.boundary.steps for event in loop.events if event.boundary is not None]
    divisions = [d for event in loop.all(Kind.BACKWARD) if event.scale is not None for d in event.scale.divisions if d.by_steps]
    for steps in guards:
        if steps.source is not None:
            return steps
    for each in divisions:
        value = int(each.value) if each.value is not None and float(each.value).is_integer() else None
        return Steps(text(each.divisor), each.names, value)
    return None


def _has_tail(loop: TrainingLoop, found: set[str]) -> bool:
    """Whether what becomes of a last, partial window is known."""
    if loop.walks.windowed or loop.walks.finite is False or loop.engine is Engine.DEEPSPEED:
        return False
    flushes = any(e.boundary is not None and e.boundary.flush for e in loop.events if e.kind is Kind.OPTIMIZER_STEP)
    by_engine = loop.engine is Engine.ACCELERATE
    moved = "GRD204" in found and bool(loop.walks.finite)
    return flushes or by_engine or moved or "GRD202" in found or loop.flushed_after


def _unknown_step(clock: Clock) -> Lane:
    return Lane(Kind.OPTIMIZER_STEP, "step", (), (Mark.NOTHING, *(Mark.UNKNOWN for _ in clock.shown), Mark.NOTHING))


# Columns and rows


def _used(clock: Clock, lanes: Sequence[Lane]) -> tuple[tuple[Column, ...], tuple[int | None, ...]]:
    """The columns that are drawn, and which mark of a lane belongs to each; None where micro-batches are left out."""
    columns: list[Column] = []
    used: list[int | None] = []
    last: int | None = None
    for index, column in enumerate(columns_of(clock)):
        if column.number is None and all(lane.marks[index] is Mark.NOTHING for lane in lanes):
            continue
        if column.number is not None and last is not None and column.number > last + 1:
            columns.append(Column(column.part if columns[-1].part is column.part else columns[-1].part))
            used.append(None)
        last = column.number
        columns.append(column)
        used.append(index)
    return tuple(columns), tuple(used)


def _row(lane: Lane, used: Sequence[int | None], reading: Reading) -> Row:
    at = tuple(sorted({reading.at(event.node) for event in lane.events}, key=lambda each: (each.cell or 0, each.line)))
    marks = tuple(Mark.GAP if index is None else lane.marks[index] for index in used)
    return Row(lane.label, at, marks, lane.codes)


def _verdict(charge: Charge, reading: Reading, *, drawn: bool) -> Verdict:
    return Verdict(charge.code, charge.name, reading.place(charge.row), drawn)


# Words


def _steps_words(steps: Steps | None, clock: Clock, lanes: Sequence[Lane]) -> str:
    """What N is, or that there is none."""
    stepping = [lane.marks[1:-1] for lane in lanes if lane.kind is Kind.OPTIMIZER_STEP]
    always = any(set(marks) == {Mark.HAPPENS} for marks in stepping)
    updates = "an update after every micro-batch" if always else "no window was found"
    value = steps.value if steps is not None and steps.value is not None and steps.value > 0 else None
    shown = _shown(steps) if value is not None or steps is None or steps.value is None else None
    if not clock.windows or (clock.n == 1 and value != 1):
        return updates
    if value == clock.n:
        known = f"N = {shown} = {value}" if shown not in (None, "N", str(value)) else f"N = {value}"
        return f"{known}, {updates}" if value == 1 else known
    known = f"N = {shown}" if shown not in (None, "N") else f"N = {value}" if value is not None else "N is not known"
    return f"{known} (drawn as {clock.n})"


def _shown(steps: Steps | None) -> str | None:
    """N as the code writes it, if that is not too long for a heading."""
    source = steps.source if steps is not None else None
    return source if source is None or len(source) <= _LONGEST_NAME else f"{source[: _LONGEST_NAME - 1]}…"


def _notes(loop: TrainingLoop, clock: Clock, lanes: Sequence[Lane]) -> Iterator[str]:
    yield from _engine_notes(loop)
    if not loop.first(Kind.OPTIMIZER_STEP) and not by_lightning(loop):
        yield "No optimizer step was found: when the weights change is not known."
    if clock.n > 1 and not clock.windows:
        period = _shown(_steps_of(loop)) or "N"
        yield f"Drawn over two periods of `{period}`, which are no windows: there is an update on every micro-batch."
    unknown = {text(b.test): b for b in _boundaries(lanes) if clock.n > 1 and clock.first(b) is None}
    for test in (test for test, boundary in unknown.items() if boundary.steps.value != 0):
        yield f"`{test}` holds once per window; on which micro-batch of it is not known."
    if loop.steps_vary:
        yield "N changes while the loop runs: the windows are not all of one length."
    if loop.grads_rescaled:
        yield "The gradients themselves are rescaled before the step, so the loss need not be divided."
    if loop.rate_divided:
        yield "The learning rate is divided by N, so the loss need not be."
    if clock.n > 1 and clock.windows and not clock.tail:
        yield from _tail_notes(loop)


def _boundaries(lanes: Sequence[Lane]) -> Iterator[Boundary]:
    for lane in lanes:
        for event in lane.events:
            if event.boundary is not None and event.cadence in _PACED:
                yield event.boundary


def _engine_notes(loop: TrainingLoop) -> Iterator[str]:
    if by_lightning(loop):
        yield (
            "Lightning does the rest by itself: it divides the loss, and clips, steps, and zeroes the gradients at the end of "
            "each window and on the last batch of an epoch."
        )
    elif loop.engine is Engine.ACCELERATE:
        yield (
            "Accelerate: `accelerator.backward()` divides the loss by N; inside `accumulate()` a prepared optimizer's `step` and "
            "`zero_grad`, and a prepared scheduler, do nothing until the window is complete or the loader ends."
        )
    elif loop.engine is Engine.DEEPSPEED:
        yield (
            "DeepSpeed: the engine divides the loss by N, and its `step` does nothing inside a window; at the end of one it "
            "clips, steps, zeroes the gradients and advances the schedule it was given."
        )
    if any(event.through == "wrapper argument" for event in loop.events):
        yield "A wrapper from another file runs backward and step; what else it does is not known."


def _tail_notes(loop: TrainingLoop) -> Iterator[str]:
    boundary = loop.boundary
    if loop.walks.windowed or loop.engine is not Engine.NONE or by_lightning(loop):
        return
    if boundary is not None and boundary.restarts is False and loop.carried:
        yield "The count goes on over passes: the next one completes a window that the end of the data cuts short."
    elif loop.walks.finite is not False and not loop.walks.bounded:
        yield "What becomes of a last window of fewer than N micro-batches is not known."


def _why_empty(model: TrainingFile) -> str:
    why = "no backward pass was found, so there is no training loop to show"
    return f"{why}; {_TRAINER}" if _uses_trainer(model) else why


_TRAINER = (
    "the Hugging Face Trainer runs it: it divides the loss over the true window, and clips, steps, advances the schedule and "
    "zeroes the gradients at the end of each window and of each epoch"
)


def _uses_trainer(model: TrainingFile) -> bool:
    """Whether the file builds a Trainer of transformers, or derives one."""
    if model.facts is None or not any(name.startswith("transformers") for name in model.facts.imports.values()):
        return False
    bases = [base for names in model.facts.bases.values() for base in names]
    return any(name.rsplit(".", 1)[-1].endswith("Trainer") for name in (*model.facts.constructed, *bases))
