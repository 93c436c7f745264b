"""What a fix did to a run that it should not have done, by what its rule may change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..trace import Mark, Trace, What
from .observe import Runs
from .plan import Wild

_GUARDED = frozenset(
    {
        What.STEP, What.ZERO, What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE, What.SAVE, What.NOISE,
        What.RESCALE,
    }
)  # fmt: skip
"""What stands under a boundary, which a fix of the boundary brings to other micro-batches."""

_OWN: dict[str, frozenset[What]] = {
    "GRD101": frozenset({What.RESCALE}),
    "GRD102": frozenset({What.RESCALE}),
    "GRD103": frozenset({What.RESCALE}),
    "GRD104": frozenset({What.RESCALE}),
    "GRD201": _GUARDED,
    "GRD202": _GUARDED,
    "GRD203": frozenset({What.ZERO}),
    "GRD204": _GUARDED - {What.SAVE, What.NOISE, What.SCHEDULE, What.AVERAGE},
    "GRD205": frozenset({What.ZERO}),
    "GRD206": frozenset({What.ZERO, What.RESCALE}),
    "GRD301": frozenset({What.CLIP, What.UNSCALE, What.RESCALE}),
    "GRD302": frozenset({What.UNSCALE, What.RESCALE}),
    "GRD303": frozenset({What.CLIP, What.RESCALE}),
    "GRD304": frozenset({What.UNSCALE, What.RESCALE}),
    "GRD305": frozenset({What.SCALER_UPDATE}),
    "GRD306": frozenset({What.UNSCALE, What.RESCALE, What.SCALER_UPDATE}),
    "GRD307": frozenset({What.SCALER_UPDATE, What.UNSCALE, What.RESCALE}),  # what is unscaled stays so until an update
    "GRD401": frozenset({What.SCHEDULE}),
    "GRD402": frozenset(),
    "GRD403": frozenset({What.SCHEDULE}),
    "GRD404": frozenset({What.AVERAGE}),
}
"""The marks that a rule's fix may add, move or take away."""

_OF_SCHEDULE = frozenset({"GRD201", "GRD202", "GRD204", "GRD401", "GRD402", "GRD403"})
_OF_SCALER = frozenset({"GRD301", "GRD302", "GRD303", "GRD304", "GRD306", "GRD307"})
_NOT_OF_GRADIENTS = frozenset({"GRD305", "GRD401", "GRD402", "GRD403", "GRD404"})
_OF_BOUNDARY = frozenset({"GRD201", "GRD202", "GRD204"})


def masked(codes: frozenset[str]) -> frozenset[str]:
    """What the verdict does not tell of beside other faults, though it is there."""
    hidden = frozenset({"GRD403"}) if "GRD401" in codes else frozenset()
    return hidden | {"GRD302"} if codes & {"GRD304", "GRD306"} else hidden


def left_to(codes: frozenset[str]) -> frozenset[str]:
    """What is there, and is left to another finding: a step that sees one micro-batch alone takes its mean, says GRD101's page."""
    return frozenset({"GRD101"}) if "GRD203" in codes else frozenset()


def unshown(plan: Wild) -> frozenset[str]:
    """What is there, and no run shows: a guard by `continue` before the boundary leaves out none of these finite losses, and a
    clip in the window meets scaled gradients only where the option for a scaler is on."""
    left_out = frozenset({"GRD209"}) if "finite" in plan.around else frozenset()
    switched_off = plan.precision == "option" and not plan.amp and plan.has("GRD301")
    return left_out | {"GRD302"} if switched_off else left_out


def spoiled(before: Runs, after: Runs, applied: frozenset[str], remaining: frozenset[str]) -> frozenset[str]:
    """What is wrong with the fixes of some rules, in a few words each. A fault that is still reported was not mended yet."""
    return frozenset(_spoiled(before, after, applied, remaining))


def _spoiled(before: Runs, after: Runs, applied: frozenset[str], remaining: frozenset[str]) -> Iterator[str]:
    if set(after.errors) - set(before.errors):
        yield f"raises {sorted(set(after.errors) - set(before.errors))[0].split(':')[0]}"
        return
    for code in sorted(after.codes & before.codes & applied - remaining):
        yield f"leaves {code}"
    for code in sorted(after.codes - before.codes - masked(before.codes)):
        yield f"brings {code}"
    for length, trace in after.traces.items():
        was = before.traces[length]
        if trace.overrun and not was.overrun:
            yield "overruns its schedule"
        yield from sorted(_misplaced(trace) - _misplaced(was))
        if _others(trace, applied) != _others(was, applied):
            yield "changes other marks"


def _others(trace: Trace, applied: frozenset[str]) -> list[tuple[Any, ...]]:
    """The marks that fixes of some rules have no business with, as far as they have none."""
    own = frozenset[What]().union(*(_OWN.get(code, frozenset()) for code in applied))
    return [_key(mark, applied) for mark in trace.marks if mark.what not in own and not _follows(mark, applied)]


def _follows(mark: Mark, applied: frozenset[str]) -> bool:
    """A number that is told is another one after these fixes, as it should be; or stands under the boundary that was moved."""
    if mark.what not in (What.REPORT, What.TOLD):
        return False
    if mark.label == "norm":
        return not applied <= _NOT_OF_GRADIENTS
    if mark.label == "rate":
        return not applied.isdisjoint(_OF_SCHEDULE)
    return False


def _key(mark: Mark, applied: frozenset[str]) -> tuple[Any, ...]:
    factors: tuple[Any, ...] = ()
    if all(not code.startswith("GRD10") for code in applied):
        factors = tuple((name, round(value, 9)) for name, value in mark.factors)
    scaled = mark.scaled and applied.isdisjoint(_OF_SCALER)
    value = 0.0 if mark.what is What.SCHEDULE and "GRD402" in applied else round(mark.value, 9)
    return (mark.what, mark.micro, mark.optimizer, factors, scaled, value, mark.label)


def _misplaced(trace: Trace) -> set[str]:
    """What stands at another side of a step or a clip than it is meant to."""
    found: set[str] = set()
    for window in _windows(trace.marks):
        kinds = [mark.what for mark in window]
        if What.BACKWARD not in kinds or kinds[-1] is not What.STEP:
            continue
        tail = kinds[len(kinds) - 1 - kinds[::-1].index(What.BACKWARD) :]
        found |= {f"puts the {name} before the step" for what, name in _AFTER_STEP.items() if what in tail}
        if What.NOISE in tail and What.CLIP in tail[tail.index(What.NOISE) :]:
            found.add("puts the clip behind the noise")
        if What.NOISE in kinds[: kinds.index(What.BACKWARD)]:
            found.add("puts the noise behind the step")
    return found


_AFTER_STEP = {What.AVERAGE: "average", What.SAVE: "checkpoint"}


def _windows(marks: Iterable[Mark]) -> Iterator[list[Mark]]:
    window: list[Mark] = []
    for mark in marks:
        window.append(mark)
        if mark.what is What.STEP:
            yield window
            window = []
