"""Translation validation: whether a fixed text does what its fix promises, and nothing else.

Both texts are simulated in the same worlds, and their traces are compared event by event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.simulate.faults import WORTH_KNOWING, Fault
from gradlint.simulate.lengths import not_in_updates
from gradlint.simulate.promise import Promise
from gradlint.simulate.rounding import counts_full_windows
from gradlint.simulate.simulation import RAISES, Played, Simulation
from gradlint.simulate.stops import TOO_LONG
from gradlint.simulate.timelines import (
    Timeline,
    advances,
    brief,
    clipped_behind,
    matters,
    outweighs,
    rescaled_behind,
    same_factors,
)
from gradlint.simulate.trace import PAST_END, Event, Trace, What
from gradlint.simulate.updates import loses
from gradlint.simulate.views import own_paces, views
from gradlint.simulate.window_terms import DIFFERS, terms

JUDGED = frozenset(
    "GRD101 GRD102 GRD104 GRD201 GRD202 GRD203 GRD204 GRD205 GRD206 GRD207 GRD208 GRD301 GRD302 GRD303 GRD304 GRD305 GRD306 GRD307 GRD308 "
    "GRD309 GRD310 GRD401 GRD402 GRD403 GRD404 GRD405".split()
)
"""The rules whose faults show in a trace."""

_SEEN_WITH_A_WRAPPER = frozenset(("GRD601", "GRD602", "GRD603"))
"""The rules whose faults show in a trace if we see what wraps the model."""

_OF_UNDIVIDED = frozenset(("GRD101", "GRD104"))
"""The rules whose fixes add a division."""

_OF_OTHER_DATA = frozenset(("GRD209", "GRD210", "GRD310"))

_OF_LENGTH = frozenset(("GRD202",))
"""A partial window at the end of a pass. Wrong windows hide it if they happen to fit the data."""

_OF_UPDATE = frozenset(
    (What.STEP, What.ZERO, What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE, What.RESCALE, What.CALL)
)

_REMAINS = "the fix that it knows would not remove this fault"
_OTHERS_FIRST = "fix the other faults of the loop first, or this one would remain"


@dataclass(frozen=True)
class Comparison:
    """The result of comparing a fix. `refused` says why it must not be offered, `unseen` why it cannot be called safe."""

    refused: str = ""
    unseen: str = ""


def compare(
    before: Sequence[Simulation],
    after: Sequence[Simulation],
    code: str,
    promise: Promise,
    at: Callable[[cst.CSTNode], bool] = lambda node: True,
) -> Comparison:
    """Check whether a fix keeps its promise. `at` selects the nodes at the place of the finding."""
    if not before:
        return Comparison(unseen="gradlint cannot simulate the loop")
    known = _faults(before, code)
    counts, now = places_of_each(known), places_of_each(_faults(after, code))
    more = {each for each, number in now.items() if number > counts[each]} - {code}
    left_over = more & _OF_LENGTH if promise.windows else set()
    if more - left_over:
        return Comparison(refused=f"with the fix, the loop would have another fault, {min(more - left_over)}")
    shown = code != "GRD101" or any(fault.code == code and at(fault.place) for fault in known)
    if code in JUDGED | _SEEN_WITH_A_WRAPPER and counts[code] and shown and now[code] >= counts[code]:
        alone = not set(counts) - {code} - WORTH_KNOWING
        return Comparison(refused=_REMAINS if alone else _OTHERS_FIRST)
    pairs = list(_paired(before, after))
    if len(pairs) < len(before):
        return Comparison(unseen="gradlint cannot simulate the loop with the fix")
    unseen = "" if (counts[code] and shown) or code not in JUDGED else "the simulated run does not show the fault"
    if code == "GRD101" and now["GRD203"]:
        unseen = "while gradients are cleared inside the window, dividing makes each step even smaller"
    cut = left_over | (_of_other_data(after) - _of_other_data(before))
    if cut and not unseen:
        unseen = f"the fix uncovers another fault, {min(cut)}"
    if promise.windows and not unseen and any(_steps(second) > _steps(first) for first, second in pairs):
        unseen = next((reason for each in before if (reason := counts_full_windows(each))), "")
    for first, second in pairs:
        if TOO_LONG in (first.trace.ended, second.trace.ended):  # cut at different places, they differ anyway
            unseen = unseen or f"the simulated run ends early: {TOO_LONG}"
            continue
        reason = _differs(first.trace, second.trace, promise)
        reason = reason or (not_in_updates(first.trace, second.trace) if code == "GRD402" else "")
        if code in _OF_UNDIVIDED and any(map(outweighs, first.trace.of(What.BACKWARD), second.trace.of(What.BACKWARD))):
            reason = reason or "the loss would weigh more, not less"
        if code in _OF_UNDIVIDED and second.trace.once(_uneven) and not first.trace.once(_uneven):
            reason = reason or "only some micro-batches of a window would be divided"
        if reason:
            return Comparison(refused=reason)
        if What.SCHEDULE in promise.events and not unseen and not all(_has_length(e) for e in first.trace.of(What.SCHEDULE)):
            unseen = "gradlint does not see how long the schedule is"
        if first.trace.ended and not unseen:
            unseen = f"the simulated run ends early: {first.trace.ended}"
        if second.trace.risks - first.trace.risks and not unseen:
            unseen = sorted(second.trace.risks - first.trace.risks)[0]
    return Comparison(unseen=unseen)


def _uneven(trace: Trace) -> bool:
    """Whether the micro-batches of a window weigh differently."""
    return any(term.doubt == DIFFERS for view in views(trace) for term in terms(view).values())


def _steps(run: Played) -> int:
    return len(run.trace.of(What.STEP))


def _has_length(event: Event) -> bool:
    return (event.value is not None and not event.value.doubt) or bool(event.handed)


def _faults(simulations: Sequence[Simulation], code: str) -> list[Fault]:
    """The faults to compare: those of other data are left out, unless they belong to the rule `code`.

    A wrong window hides what other data do to it, so the fix is not to blame if they show afterwards.
    """
    left_out = (_OF_OTHER_DATA | WORTH_KNOWING) - {code}
    return [fault for each in simulations for fault in each.faults if fault.code not in left_out]


def _of_other_data(simulations: Sequence[Simulation]) -> set[str]:
    """The faults that show if the data take an unusual arm, or if N grows."""
    return {fault.code for each in simulations for fault in each.faults} & _OF_OTHER_DATA


def places_of_each(found: Iterable[Fault]) -> Counter[str]:
    """The number of places with each fault."""
    return Counter(code for code, _ in {(fault.code, id(fault.place)) for fault in found})


def _paired(before: Sequence[Simulation], after: Sequence[Simulation]) -> Iterator[tuple[Played, Played]]:
    """Pair the runs of each root in the same world. The fixed text is run in worlds that it was not explored in."""
    repaired = dict(named(after))
    others = {(name, run.world): run for name, each in repaired.items() for run in each.runs}
    for name, each in named(before):
        play = repaired[name].play if name in repaired else None
        for run in each.runs:
            found = others.get((name, run.world)) or (play(run.world) if play is not None else None)
            if found is None:
                continue
            if each.play is not None and play is not None and TOO_LONG in (run.trace.ended, found.trace.ended):
                yield each.play(run.world), play(run.world)  # what others have used up of the budget tells the texts apart
            else:
                yield run, found


def named(simulations: Sequence[Simulation]) -> Iterator[tuple[tuple[str, int], Simulation]]:
    """The simulations by the name of their root. Methods with the same name in several classes are numbered in order."""
    counts: Counter[str] = Counter()
    for each in simulations:
        name = f"{each.caller}:{each.root.name.value}" if each.root is not None else each.caller
        yield (name, counts[name]), each
        counts[name] += 1


# Two traces


def _differs(before: Trace, after: Trace, promise: Promise) -> str:
    """What a fix changed without promising to; empty if it kept its promise."""
    # The length of the data decides how many steps a schedule has left: too few in one world may be too few in others.
    raised = after.raises - (before.raises - {PAST_END} if promise.windows else before.raises)
    if raised:
        return sorted(raised)[0]
    if after.ended.startswith(RAISES) and not before.ended.startswith(RAISES):
        return f"with the fix, the loop would raise {after.ended.removeprefix(RAISES)}"
    backwards, now = before.of(What.BACKWARD), after.of(What.BACKWARD)
    if len(backwards) != len(now):
        return "the number of backward passes would change"
    if not promise.factors and not promise.windows:
        for one, other in zip(backwards, now, strict=True):
            if not same_factors(one, other):
                return "the scale of the loss would change"
    if promise.windows:
        return _reordered(before, after)
    if not promise.synchronisation and [each.reduced for each in backwards] != [each.reduced for each in now]:
        return "the processes would average gradients after other backward passes"
    if What.STEP in promise.events and own_paces(views(after)) - own_paces(views(before)):
        return "optimizers that step together would no longer do so"
    behind = clipped_behind(after) - clipped_behind(before)
    if behind:
        return f"the clip would come after `{sorted(behind)[0]}`, which uses the gradients"
    if What.CLIP in promise.events and rescaled_behind(after):
        return "the clip would come before the gradients are divided"
    if advances(after, promise) - advances(before, promise):
        return "something that advances once per update would advance twice"
    kinds = promise.events & _ONCE_AN_UPDATE if What.STEP not in promise.events else ()  # with STEP, the updates differ
    lost = next((what for what in sorted(kinds) if loses(before, after, what)), None)
    if lost is not None:
        return f"one update would lose its {lost.value}"
    old, new = Timeline(before), Timeline(after)
    kept, still = old.others(promise), new.others(promise)
    for one, other in zip(kept, still, strict=False):
        if old.key(one) != new.key(other):
            return f"`{brief(one)}` would run at another time"
    if len(kept) != len(still):
        longer = kept if len(kept) > len(still) else still
        return f"`{brief(longer[min(len(kept), len(still))])}` would run a different number of times"
    return _crossed(old, new, list(zip(kept, still, strict=True)), promise)


_ONCE_AN_UPDATE = frozenset((What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE))


def _crossed(old: Timeline, new: Timeline, pairs: Sequence[tuple[Event, Event]], promise: Promise) -> str:
    """What a moved event would pass within a micro-batch, although it was on the other side before; empty if nothing."""
    for one, other in pairs:
        if one.what not in _OF_UPDATE:
            continue
        for what in promise.events:
            was, is_now = old.sides(one, what), new.sides(other, what)
            if (what, one.what) not in _MENDED and was and is_now and was.isdisjoint(is_now):
                return f"the call would run {'after' if 'before' in was else 'before'} `{brief(one)}`"
    return ""


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


def _reordered(before: Trace, after: Trace) -> str:
    """Where windows end elsewhere, every window end must still do what some window end did before, in the same order."""
    known = {tuple(group) for group in _updates(before)}
    for group in _updates(after):
        if tuple(group) not in known and group:
            return "the fix would change what an update does"
    return ""


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
