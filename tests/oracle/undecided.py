"""What gradlint declares that it cannot tell of a program, read off its model as `gradlint show` prints it."""

from __future__ import annotations

from gradlint.analysis.source import Problem, read
from gradlint.model.build import build
from gradlint.model.types import Cadence, Kind, Phase, Scale, TrainingLoop

_EVERYTHING = frozenset(
    f"GRD{number}" for number in (*range(101, 107), *range(201, 207), *range(301, 308), *range(401, 405), 502, 601, 602, 603)
)
_OF_KIND = {
    Kind.CLIP: frozenset({"GRD301", "GRD302", "GRD303"}),
    Kind.UNSCALE: frozenset({"GRD304", "GRD302"}),
    Kind.SCALER_UPDATE: frozenset({"GRD305", "GRD307"}),
    Kind.SCHEDULER_STEP: frozenset({"GRD401", "GRD402", "GRD403"}),
    Kind.EMA_UPDATE: frozenset({"GRD404"}),
    Kind.ZERO_GRAD: frozenset({"GRD203", "GRD205", "GRD206"}),
}


_OF_LOSS = frozenset({"GRD101", "GRD102", "GRD103", "GRD104", "GRD105"})


def undecided(text: str, reported: frozenset[str] = frozenset()) -> frozenset[str]:
    """The codes of the rules that have no ground to judge by; what is reported was decided."""
    unknown = _unknown(text)
    return unknown - (_OF_LOSS if reported & _OF_LOSS else frozenset()) - reported


def _unknown(text: str) -> frozenset[str]:
    source = read(text)
    if isinstance(source, Problem):
        return _EVERYTHING
    loops = build(source.statements).loops
    unknown: set[str] = set()
    for loop in loops:
        unknown |= _of_loop(loop)
    return frozenset(unknown) if loops else _EVERYTHING


def _of_loop(loop: TrainingLoop) -> set[str]:
    steps = [step for step in loop.all(Kind.OPTIMIZER_STEP) if loop.holds(step)]
    if not steps or any(step.cadence is Cadence.UNKNOWN for step in steps):
        return set(_EVERYTHING)
    unknown: set[str] = set()
    if loop.steps is None and any(b.scale is not None and b.scale.divisions for b in loop.all(Kind.BACKWARD)):
        unknown.add("GRD106")  # the loss is divided, and nothing says that it is by N
    if loop.parallel is not None and loop.sync_toggled and loop.first(Kind.NO_SYNC) is None:
        unknown |= {"GRD601", "GRD602", "GRD603"}
    for event in loop.events:
        if event.cadence is Cadence.UNKNOWN:
            unknown |= _OF_KIND.get(event.kind, frozenset())
    if any(step.cadence is Cadence.PER_UPDATE for step in steps):
        if loop.steps is None:
            unknown |= {"GRD105", "GRD502"}
        if loop.boundary is not None and loop.boundary.phase is Phase.UNKNOWN:
            unknown |= {"GRD201", "GRD202"}
        if loop.walks.finite is None and not loop.walks.windowed:
            unknown.add("GRD202")
        if any(b.scale is None or b.scale.scale is Scale.UNKNOWN for b in loop.all(Kind.BACKWARD)):
            unknown |= _OF_LOSS
    return unknown
