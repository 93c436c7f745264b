"""Translation validation: whether a repaired text does what its fix promises, and nothing else.

Both texts are simulated in the same worlds, and their traces are compared event by event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isclose

import libcst as cst

from gradlint.model.syntax.expressions import text
from gradlint.simulate.faults import WORTH_KNOWING, Fault
from gradlint.simulate.promise import Promise
from gradlint.simulate.simulation import RAISES, Played, Simulation
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.updates import loses
from gradlint.simulate.verdicts import faults

JUDGED = frozenset(
    "GRD101 GRD102 GRD104 GRD201 GRD202 GRD203 GRD204 GRD205 GRD206 GRD207 GRD208 GRD301 GRD302 GRD303 GRD304 GRD305 GRD306 GRD307 GRD308 "
    "GRD309 GRD401 GRD403 GRD404 GRD405".split()
)
"""The rules whose faults a trace shows."""

_SEEN_WITH_A_WRAPPER = frozenset(("GRD602",))
"""The rules whose faults a trace shows where it is in sight what wraps the model."""

_OF_OTHER_DATA = frozenset(("GRD209", "GRD210"))

_KEPT = frozenset(("network", "optimizer", "schedule", "scaler", "average", "parameters", "gradient"))
"""What an opaque call may be handed that makes its place between the events matter."""

_OF_UPDATE = frozenset(
    (What.STEP, What.ZERO, What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE, What.RESCALE, What.CALL)
)


@dataclass(frozen=True)
class Comparison:
    """How a repair compares: `refused` says why it must not be offered, `unseen` why it cannot be called safe."""

    refused: str = ""
    unseen: str = ""


def compare(
    before: Sequence[Simulation],
    after: Sequence[Simulation],
    code: str,
    promise: Promise,
    at: Callable[[cst.CSTNode], bool] = lambda node: True,
) -> Comparison:
    """Hold a repair to its promise; `at` tells the nodes of the place where the fault was found."""
    if not before:
        return Comparison(unseen="the loop cannot be run abstractly")
    known = _faults(before)
    counts, now = places_of_each(known), places_of_each(_faults(after))
    for each, number in sorted(now.items()):
        if number > counts[each] and each != code:
            return Comparison(refused=f"the repaired loop would have another fault, {each}")
    shown = code != "GRD101" or any(fault.code == code and at(fault.place) for fault in known)
    if code in JUDGED | _SEEN_WITH_A_WRAPPER and counts[code] and shown and now[code] >= counts[code]:
        return Comparison(refused="the fault would still be there")
    pairs = list(_paired(before, after))
    if len(pairs) < len(before):
        return Comparison(unseen="the repaired loop cannot be run abstractly")
    unseen = "" if (counts[code] and shown) or code not in JUDGED else "the run that was simulated does not show the fault"
    if code == "GRD101" and now["GRD203"]:
        unseen = "as long as gradients are cleared inside the window, to divide makes each step smaller still"
    cut = _of_other_data(after) - _of_other_data(before)
    if cut and not unseen:
        unseen = f"the repaired loop has a fault that the one before hid: {min(cut)}"
    for first, second in pairs:
        reason = _differs(first.trace, second.trace, promise)
        if reason:
            return Comparison(refused=reason)
        if What.SCHEDULE in promise.events and not unseen and not all(_has_length(e) for e in first.trace.of(What.SCHEDULE)):
            unseen = "how many steps the schedule is built for is not in sight"
        if first.trace.ended and not unseen:
            unseen = f"the simulated run ends early: {first.trace.ended}"
        if second.trace.risks - first.trace.risks and not unseen:
            unseen = sorted(second.trace.risks - first.trace.risks)[0]
    return Comparison(unseen=unseen)


def _has_length(event: Event) -> bool:
    return (event.value is not None and not event.value.doubt) or bool(event.handed)


def _faults(simulations: Sequence[Simulation]) -> list[Fault]:
    """The faults of the usual data, with one N: what others do to a window is hidden where it is wrong already, and no repair's doing."""
    left_out = _OF_OTHER_DATA | WORTH_KNOWING
    return [fault for each in simulations for fault in faults(each) if fault.code not in left_out]


def _of_other_data(simulations: Sequence[Simulation]) -> set[str]:
    """The faults that show where the data take another arm than usual, or N grows."""
    return {fault.code for each in simulations for fault in faults(each)} & _OF_OTHER_DATA


def places_of_each(found: Iterable[Fault]) -> Counter[str]:
    """How many places have each fault."""
    return Counter(code for code, _ in {(fault.code, id(fault.place)) for fault in found})


def _paired(before: Sequence[Simulation], after: Sequence[Simulation]) -> Iterator[tuple[Played, Played]]:
    """The runs of the same root in the same world; the repaired text is run where it was not, since nothing is wrong with it any more."""
    others = {(_name(each), run.world): run for each in after for run in each.runs}
    plays = {_name(each): each.play for each in after}
    for each in before:
        play = plays.get(_name(each))
        for run in each.runs:
            found = others.get((_name(each), run.world)) or (play(run.world) if play is not None else None)
            if found is not None:
                yield run, found


def _name(simulation: Simulation) -> str:
    return simulation.root.name.value if simulation.root is not None else ""


# Two traces


class Timeline:
    """The events of a trace by the number of backward passes before them, which a fix leaves as it is."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.numbers: dict[int, int] = {}
        self.places: dict[tuple[What, int], list[int]] = {}
        self.index = {id(event): place for place, event in enumerate(trace.events)}
        passed = 0
        for place, event in enumerate(trace.events):
            passed += event.what is What.BACKWARD
            self.numbers[id(event)] = passed
            self.places.setdefault((event.what, passed), []).append(place)

    def others(self, promise: Promise) -> list[Event]:
        """The events that a fix has to leave alone, without those that only tell how the data are walked."""
        left_out = promise.events | {What.PASS, What.END, What.REPORT}
        part = _parts(self.trace, promise)
        return [
            event
            for event in self.trace.events
            if event.what not in left_out and (event.what is not What.CALL or (_matters(event) and not part(event)))
        ]

    def key(self, event: Event) -> tuple[object, ...]:
        """What makes two events of two traces the same."""
        about = (event.text, event.numbers) if event.what is What.CALL else ()
        return event.what, event.target, self.numbers[id(event)], about

    def sides(self, event: Event, what: What) -> set[str]:
        """On which sides of an event others of a kind run, between the same two backward passes."""
        here = self.index[id(event)]
        found = self.places.get((what, self.numbers[id(event)]), ())
        return {"before" if each < here else "behind" for each in found}


def _clipped_behind(trace: Trace) -> set[str]:
    """What is handed the gradients between the last backward pass and a clip that the step comes after: noise, mostly."""
    found: set[str] = set()
    calls: set[str] = set()
    clipped = False
    for event in trace.events:
        if event.what is What.CALL and "gradient" in event.handed:
            calls.add(event.text)
        elif event.what is What.CLIP:
            clipped = bool(calls)
        elif event.what is What.STEP:
            found |= calls if clipped else set()
            calls, clipped = set(), False
        elif event.what is What.BACKWARD:
            calls, clipped = set(), False
    return found


def _differs(before: Trace, after: Trace, promise: Promise) -> str:
    """What a fix changed that it did not promise to; empty where it kept its word."""
    if after.raises - before.raises:
        return sorted(after.raises - before.raises)[0]
    if after.ended.startswith(RAISES) and not before.ended.startswith(RAISES):
        return f"the repaired loop would raise: {after.ended.removeprefix(RAISES)}"
    backwards, now = before.of(What.BACKWARD), after.of(What.BACKWARD)
    if len(backwards) != len(now):
        return "backward passes would run more or less often"
    if not promise.factors and not promise.windows:
        for one, other in zip(backwards, now, strict=True):
            if not _same_factors(one, other):
                return "the loss would be scaled otherwise"
    if promise.windows:
        return _reordered(before, after)
    behind = _clipped_behind(after) - _clipped_behind(before)
    if behind:
        return f"the clip would come behind `{sorted(behind)[0]}`, which is handed the gradients"
    if _advances(after, promise) - _advances(before, promise):
        return "what advances once would advance twice in one update"
    kinds = promise.events & _ONCE_AN_UPDATE if What.STEP not in promise.events else ()  # else updates are others
    lost = next((what for what in sorted(kinds) if loses(before, after, what)), None)
    if lost is not None:
        return f"there is an update that would go without it: {lost.value}"
    old, new = Timeline(before), Timeline(after)
    kept, still = old.others(promise), new.others(promise)
    for one, other in zip(kept, still, strict=False):
        if old.key(one) != new.key(other):
            return f"`{_brief(one)}` would not run when it does now"
    if len(kept) != len(still):
        longer = kept if len(kept) > len(still) else still
        return f"`{_brief(longer[min(len(kept), len(still))])}` would run more or less often"
    return _crossed(old, new, list(zip(kept, still, strict=True)), promise)


_ONCE_AN_UPDATE = frozenset((What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE))


def _advances(trace: Trace, promise: Promise) -> set[int]:
    """The schedules and averages that advance more than once between two backward passes."""
    found: set[int] = set()
    seen: set[tuple[What, int]] = set()
    for event in trace.events:
        if event.what is What.BACKWARD:
            seen.clear()
        elif event.what in promise.events & {What.SCHEDULE, What.AVERAGE} and event.target >= 0:
            key = event.what, event.target
            found |= {event.target} if key in seen else set()
            seen.add(key)
    return found


def _same_factors(one: Event, other: Event) -> bool:
    if len(one.terms) != len(other.terms):
        return False
    pairs = zip(one.terms, other.terms, strict=True)
    return all(isclose(a.value, b.value, rel_tol=1e-9) and bool(a.doubt) == bool(b.doubt) for (_, a), (_, b) in pairs)


def _parts(trace: Trace, promise: Promise) -> Callable[[Event], bool]:
    """Whether an opaque call belongs to one that the fix moves: it runs within it, as no other event of training does."""
    moved = {id(node) for event in trace.events if event.what in promise.events for node in (*event.stack, event.node)}
    rest = {id(node) for event in trace.events if event.what in _ALONE - promise.events for node in event.stack}
    return lambda event: any(id(node) in moved - rest for node in (*event.stack, event.node))


_ALONE = frozenset((What.BACKWARD, What.STEP, What.ZERO, What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE))


def _matters(event: Event) -> bool:
    return bool(event.handed & _KEPT) or "total" in event.handed


def _brief(event: Event) -> str:
    written = text(event.node)
    return written if len(written) < 60 and "\n" not in written else f"{written.split('(')[0]}(...)"[:60]


def _crossed(old: Timeline, new: Timeline, pairs: Sequence[tuple[Event, Event]], promise: Promise) -> str:
    """Whether a moved event passes something, in the same micro-batch, that it was on the other side of."""
    for one, other in pairs:
        if one.what not in _OF_UPDATE:
            continue
        for what in promise.events:
            was, is_now = old.sides(one, what), new.sides(other, what)
            if (what, one.what) not in _MENDED and was and is_now and was.isdisjoint(is_now):
                return f"it would stand {'behind' if 'before' in was else 'before'} `{_brief(one)}`"
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
        (What.SCALER_UPDATE, What.UNSCALE),
        (What.SCALER_UPDATE, What.CLIP),
        (What.SCALER_UPDATE, What.STEP),
        (What.SCHEDULE, What.CLIP),
        (What.SCHEDULE, What.UNSCALE),
    )
)
"""Pairs whose order a fault may turn round, or that do not see each other; the judge looks at what their order does."""


def _reordered(before: Trace, after: Trace) -> str:
    """Where windows end elsewhere, what happens at an end is still what happened at one, in the same order."""
    known = {tuple(group) for group in _updates(before)}
    for group in _updates(after):
        if tuple(group) not in known and group:
            return "an update would not do what each update does now"
    return ""


def _updates(trace: Trace) -> Iterator[list[tuple[What, str]]]:
    """What happens between two backward passes, where weights are updated there."""
    group: list[tuple[What, str]] = []
    steps = False
    for event in trace.events:
        if event.what in (What.BACKWARD, What.END, What.PASS):
            if steps:
                yield group
            group, steps = [], False
        elif event.what in _OF_UPDATE and (event.what is not What.CALL or _matters(event)):
            group.append((event.what, event.text if event.what is What.CALL else ""))
            steps = steps or event.what is What.STEP
    if steps:
        yield group
