"""Holds the simulated trace of a wild program against what PyTorch's hooks saw: event by event, coefficient by coefficient.

The program is simulated in the world that it ran in: its own N, and as many micro-batches a pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby

from gradlint.analysis.source import Problem, read_whole
from gradlint.model.names.vocabulary import UNTAUGHT
from gradlint.model.syntax.expressions import walk_all
from gradlint.simulate import trace as simulated
from gradlint.simulate.text_runs import Text
from gradlint.simulate.world import World

from ..run import run
from ..trace import Mark, What
from .plan import Wild

Line = tuple[object, ...]
NOTHING_TO_COMPARE = "nothing to compare"

STEPS = 200_000
"""Statements that a program may take: enough for both passes of any."""

_SAME = {
    simulated.What.UNSCALE: What.UNSCALE,
    simulated.What.SCALER_UPDATE: What.SCALER_UPDATE,
    simulated.What.SCHEDULE: What.SCHEDULE,
    simulated.What.AVERAGE: What.AVERAGE,
}


def difference(plan: Wild, text: str, micro_batches: int) -> str:
    """The first place where both traces differ, in words; "" where they are the same, and `NOTHING_TO_COMPARE`.

    That is so where the program fails, where it unscales twice, which PyTorch refuses and the watch lets pass, where two loaders
    have different lengths, or the last batch fewer chunks, as a world has one number for each, and where the environment says how
    long a pass is.
    """
    if (
        plan.has("GRD304")
        or plan.feed in ("pairs", "cut")
        or (plan.walk == "chunks" and (plan.stage != "none" or micro_batches % plan.n))
    ):
        return NOTHING_TO_COMPARE
    observed = run(text, micro_batches, frozen=True)
    if observed.error:
        return NOTHING_TO_COMPARE
    source = read_whole(text)
    if isinstance(source, Problem):
        return "it does not parse"
    batches = -(-micro_batches // plan.n) if plan.walk == "chunks" else micro_batches
    whole = Text(source.statements, walk_all(source.statements), UNTAUGHT)
    whole.left = STEPS
    played = whole.play(None, World(plan.n, batches), STEPS, STEPS)
    if played.trace.ended:
        return f"the simulation ends: {played.trace.ended}"
    told, seen = _plain(_of_simulation(played.trace.events)), _plain(_of_run(observed.marks))
    for place, (one, other) in enumerate(zip(told, seen, strict=False)):
        if not _alike(one, other):
            return f"at {place}: simulated {one}, seen {other}"
    if len(told) != len(seen):
        return f"simulated {len(told)} events, seen {len(seen)}; then {(told + seen)[min(len(told), len(seen)) :][:1]}"
    return ""


def _of_simulation(events: Iterable[simulated.Event]) -> Iterator[Line]:
    """The events in the words of the watch. Of a clip that meets no gradients, or used ones, it does not tell whether they are scaled."""
    used: set[int] = set()
    for event in events:
        if event.what is simulated.What.BACKWARD:
            by_micro: dict[int, list[float]] = defaultdict(list)
            for source, factor in event.terms:
                by_micro[source.micro].append(factor.value if not factor.doubt else float("nan"))
            for micro in sorted(by_micro):
                yield What.BACKWARD, event.scaled, tuple(sorted(by_micro[micro]))
        elif event.what is simulated.What.ZERO and event.held and event.target >= 0:
            yield What.ZERO, event.target
        elif event.what is simulated.What.CLIP and event.target >= 0:
            yield What.CLIP, event.target, event.scaled if set(event.held) - used else None
        elif event.what is simulated.What.STEP:
            used.update(event.held)
            yield What.STEP, event.target, event.through == "scaler"
        elif event.what in _SAME:
            target = (event.target,) if event.what is simulated.What.UNSCALE else ()
            yield (_SAME[event.what], *target)


def _of_run(marks: Iterable[Mark]) -> Iterator[Line]:
    for mark in marks:
        if mark.what is What.BACKWARD:
            yield What.BACKWARD, mark.scaled, tuple(sorted(value for _, value in mark.factors))
        elif mark.what in (What.ZERO, What.UNSCALE):
            yield mark.what, mark.optimizer
        elif mark.what in (What.CLIP, What.STEP):
            yield mark.what, mark.optimizer, mark.scaled
        elif mark.what in (What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE):
            yield (mark.what,)


def _plain(lines: Iterable[Line]) -> list[Line]:
    """The events with their optimizers numbered as they come. Clips and zeroings of several weights in a row are one, and what
    the scaler unscales by itself, in its step, is a part of that."""
    found: list[Line] = []
    numbers: dict[object, int] = {}
    for line in lines:
        if len(line) > 1 and line[0] is not What.BACKWARD:
            line = (line[0], numbers.setdefault(line[1], len(numbers)), *line[2:])
        if found and found[-1] == line and line[0] in (What.CLIP, What.ZERO):
            continue
        if line[0] is What.STEP and found and found[-1] == (What.UNSCALE, line[1]):
            found.pop()
        found.append(line)
    return [line for _, some in groupby(found, key=lambda each: each[0]) for line in _ordered(list(some))]


def _ordered(lines: list[Line]) -> list[Line]:
    """Several optimizers' gradients are cleared, and clipped, in whatever order."""
    return sorted(lines, key=repr) if lines[0][0] in (What.CLIP, What.ZERO) else lines


def _alike(one: Line, other: Line) -> bool:
    if one[0] is not What.BACKWARD or other[0] is not What.BACKWARD:
        return one == other or (one[0] is What.CLIP and one[-1] is None and one[:-1] == other[:-1])
    first, second = one[2], other[2]
    assert isinstance(first, tuple) and isinstance(second, tuple)
    if one[1] != other[1] or len(first) != len(second):
        return not second and one[1] == other[1]  # gradients that are no numbers show no factors
    return all(abs(a - b) <= 1e-4 * max(abs(b), 1e-3) for a, b in zip(first, second, strict=True))
