"""Translation validation: whether a fixed text does what its fix promises, and nothing else.

Both texts are simulated in the same worlds, and their traces are compared event by event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.simulate.differences import difference
from gradlint.simulate.faults import WORTH_KNOWING, Fault
from gradlint.simulate.lengths import not_in_updates
from gradlint.simulate.promise import Promise
from gradlint.simulate.rounding import counts_full_windows
from gradlint.simulate.simulation import Played, Simulation
from gradlint.simulate.stops import TOO_LONG
from gradlint.simulate.timelines import outweighs
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.views import views
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

_REMAINS = "the fix that it knows would not remove this fault"
_OTHERS_FIRST = "fix the other faults of the loop first, or this one would remain"


@dataclass(frozen=True)
class Comparison:
    """The result of comparing a fix.

    `refused` says why it must not be offered, and `at` is the code that is the reason. `unseen` says why it cannot be called safe.
    """

    refused: str = ""
    unseen: str = ""
    at: cst.CSTNode | None = None


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
        new = min(more - left_over)
        cause = next(fault.place for fault in reversed(_faults(after, code)) if fault.code == new)
        return Comparison(refused=f"with the fix, the loop would have another fault, {new}", at=cause)
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
        changed = difference(first.trace, second.trace, promise)
        if changed is not None:
            return Comparison(refused=changed.told, at=changed.at)
        reason = not_in_updates(first.trace, second.trace) if code == "GRD402" else ""
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
