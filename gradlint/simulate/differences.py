"""What a fix changed in a trace without promising to: two traces of one world are compared event by event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.simulate.promise import Promise
from gradlint.simulate.simulation import RAISES
from gradlint.simulate.timelines import Timeline, advances, brief, clipped_behind, matters, rescaled_behind, same_factors
from gradlint.simulate.trace import PAST_END, Event, Trace, What
from gradlint.simulate.updates import loses
from gradlint.simulate.views import own_paces, views

_OF_UPDATE = frozenset(
    (What.STEP, What.ZERO, What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE, What.RESCALE, What.CALL)
)


@dataclass(frozen=True)
class Difference:
    """What a fix would change without promising to, and the code whose effect changes, if it is one piece of code."""

    told: str
    at: cst.CSTNode | None = None


def difference(before: Trace, after: Trace, promise: Promise) -> Difference | None:
    """What a fix changed without promising to. None if it kept its promise."""
    # The length of the data decides how many steps a schedule has left: too few in one world may be too few in others.
    raised = after.raises - (before.raises - {PAST_END} if promise.windows else before.raises)
    if raised:
        return Difference(sorted(raised)[0])
    if after.ended.startswith(RAISES) and not before.ended.startswith(RAISES):
        return Difference(f"with the fix, the loop would raise {after.ended.removeprefix(RAISES)}")
    backwards, now = before.of(What.BACKWARD), after.of(What.BACKWARD)
    if len(backwards) != len(now):
        return Difference("the number of backward passes would change")
    if not promise.factors and not promise.windows:
        for one, other in zip(backwards, now, strict=True):
            if not same_factors(one, other):
                return Difference("the scale of the loss would change", one.node)
    if promise.windows:
        return _reordered(before, after)
    if not promise.synchronisation and [each.reduced for each in backwards] != [each.reduced for each in now]:
        return Difference("the processes would average gradients after other backward passes")
    if What.STEP in promise.events and own_paces(views(after)) - own_paces(views(before)):
        return Difference("optimizers that step together would no longer do so")
    behind = clipped_behind(after) - clipped_behind(before)
    if behind:
        call = min(behind)
        at = next((each.node for each in before.of(What.CALL) if each.text == call), None)
        return Difference(f"the clip would come after `{call}`, which uses the gradients", at)
    if What.CLIP in promise.events and rescaled_behind(after):
        return Difference("the clip would come before the gradients are divided", before.of(What.RESCALE)[0].node)
    if advances(after, promise) - advances(before, promise):
        return Difference("something that advances once per update would advance twice")
    kinds = promise.events & _ONCE_AN_UPDATE if What.STEP not in promise.events else ()  # with STEP, the updates differ
    lost = next((what for what in sorted(kinds) if loses(before, after, what)), None)
    if lost is not None:
        return Difference(f"one update would lose its {lost.value}", before.of(lost)[0].node)
    old, new = Timeline(before), Timeline(after)
    kept, still = old.others(promise), new.others(promise)
    for one, other in zip(kept, still, strict=False):
        if old.key(one) != new.key(other):
            return Difference(f"`{brief(one)}` would run at another time", one.node)
    if len(kept) != len(still):
        longer = kept if len(kept) > len(still) else still
        other = longer[min(len(kept), len(still))]
        return Difference(f"`{brief(other)}` would run a different number of times", other.node)
    return _crossed(old, new, list(zip(kept, still, strict=True)), promise)


_ONCE_AN_UPDATE = frozenset((What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE))


def _crossed(old: Timeline, new: Timeline, pairs: Sequence[tuple[Event, Event]], promise: Promise) -> Difference | None:
    """What a moved event would pass within a micro-batch, although it was on the other side before."""
    for one, other in pairs:
        if one.what not in _OF_UPDATE:
            continue
        for what in promise.events:
            was, is_now = old.sides(one, what), new.sides(other, what)
            if (what, one.what) not in _MENDED and was and is_now and was.isdisjoint(is_now):
                side = "after" if "before" in was else "before"
                moved = old.trace.of(what)[0]
                return Difference(f"`{brief(moved)}` would run {side} `{brief(one)}`", one.node)
    return None


_MENDED = frozenset(
    (
        (What.SCHEDULE, What.STEP),
        (What.ZERO, What.STEP),
        (What.CLIP, What.STEP),
        (What.CLIP, What.ZERO),
        (What.CLIP, What.SCALER_UPDATE),
        (What.CLIP, What.SCHEDULE),
        (What.CLIP, What.AVERAGE),
        (What.SCHEDULE, What.ZERO),
        (What.ZERO, What.CLIP),
        (What.SCHEDULE, What.SCALER_UPDATE),
        (What.SCALER_UPDATE, What.ZERO),
        (What.STEP, What.ZERO),
        (What.AVERAGE, What.STEP),
        (What.AVERAGE, What.ZERO),
        (What.AVERAGE, What.SCHEDULE),
        (What.AVERAGE, What.SCALER_UPDATE),
        (What.ZERO, What.SCALER_UPDATE),
        (What.ZERO, What.SCHEDULE),
        (What.ZERO, What.AVERAGE),
        (What.SCALER_UPDATE, What.UNSCALE),
        (What.SCALER_UPDATE, What.CLIP),
        (What.SCALER_UPDATE, What.STEP),
        (What.SCALER_UPDATE, What.SCHEDULE),
        (What.SCALER_UPDATE, What.AVERAGE),
        (What.SCHEDULE, What.CLIP),
        (What.SCHEDULE, What.UNSCALE),
    )
)
"""Pairs that a fault may put in the wrong order, or that do not affect each other. The judge checks what their order does."""


def _reordered(before: Trace, after: Trace) -> Difference | None:
    """Where windows end elsewhere, every window end must still do what some window end did before, in the same order."""
    known = {tuple(group) for group in _updates(before)}
    for group in _updates(after):
        if tuple(group) not in known and group:
            return Difference("the fix would change what an update does")
    return None


def _updates(trace: Trace) -> Iterator[list[tuple[What, str]]]:
    """The events between two backward passes, where the weights are updated there."""
    group: list[tuple[What, str]] = []
    steps = False
    for event in trace.events:
        if event.what in (What.BACKWARD, What.END, What.PASS):
            if steps:
                yield group
            group, steps = [], False
        elif event.what in _OF_UPDATE and (event.what is not What.CALL or matters(event)):
            group.append((event.what, event.text if event.what is What.CALL else ""))
            steps = steps or event.what is What.STEP
    if steps:
        yield group
