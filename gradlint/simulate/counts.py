"""Counts of updates that are checked on every micro-batch, so that their action runs several times for one count (GRD405)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.model.syntax.expressions import walk
from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, Remainder, Trace, What
from gradlint.simulate.views import View, views

_SHOWS = frozenset(
    "print pprint write echo info debug warning warn error set_postfix set_postfix_str set_description set_description_str update "
    "refresh display append extend add clear eval train flush collect empty_cache synchronize barrier wait_for_everyone".split()
)
"""Calls that may be repeated: they show something, or have no lasting effect."""


def asked_inside(trace: Trace) -> Iterator[cst.CSTNode]:
    """The remainders of a count of updates that conditions check several times within one window."""
    seen = views(trace)
    for node, asked in _by_node(trace).items():
        if any(_counts_updates(asked, view) and _repeats(asked, view) for view in seen):
            yield node


def repeated(runs: Sequence[Trace], hurried: Trace) -> Iterator[Fault]:
    """The actions that a condition on a count of updates repeats for the same count, in every run that checks it.

    In the `hurried` run, the remainders are 0 whenever they are checked.
    """
    everywhere = [_by_node(trace) for trace in runs]
    for node, asked in _by_node(hurried).items():
        met = [(trace, known[node]) for trace, known in zip(runs, everywhere, strict=True) if node in known]
        if not all(any(_inside(mine, view) for view in views(trace)) for trace, mine in met):
            continue
        view = next((view for view in views(hurried) if _inside(asked, view)), None)
        own = next((each for each in views(runs[0]) if view is not None and each.key == view.key), None)
        done = _done_again(asked, view, hurried) if view is not None and not _makes_losses(asked[0].branch, hurried) else None
        if own is not None and done is not None:
            yield Fault("GRD405", own.steps[0], done, at=getattr(asked[0].branch, "test", asked[0].branch))


def _by_node(trace: Trace) -> dict[cst.CSTNode, list[Remainder]]:
    found: dict[cst.CSTNode, list[Remainder]] = {}
    for each in trace.remainders:
        if isinstance(each.branch, cst.If):
            found.setdefault(each.node, []).append(each)
    return found


def _inside(asked: Sequence[Remainder], view: View) -> bool:
    return _counts_updates(asked, view) and _repeats(asked, view)


def _steps_before(asked: Sequence[Remainder], view: View) -> list[int]:
    """How often the optimizer has stepped before each remainder was taken."""
    own = {id(step) for step in view.steps}
    places = [place for place, event in enumerate(view.trace.events) if id(event) in own]
    return [bisect_left(places, each.place) for each in asked]


def _counts_updates(asked: Sequence[Remainder], view: View) -> bool:
    """Whether the dividend goes up by one with each update, and does not change in between."""
    steps = _steps_before(asked, view)
    apart = {each.count - number for each, number in zip(asked, steps, strict=True)}
    return len(apart) == 1 and len(set(steps)) > 1


def _repeats(asked: Sequence[Remainder], view: View) -> bool:
    """Whether whole windows check the remainder again, on another micro-batch, before the next update."""
    if view.doubt or not view.accumulates:
        return False
    steps = _steps_before(asked, view)
    backwards = [place for place, event in enumerate(view.trace.events) if event.what is What.BACKWARD]
    pairs = zip(asked, asked[1:], steps, steps[1:], strict=False)
    again = {
        number
        for one, other, number, following in pairs
        if number == following and bisect_left(backwards, one.place) < bisect_left(backwards, other.place)
    }
    return len(again) > 1 or (len(again) == 1 and len(set(steps)) == 2)


def _makes_losses(branch: cst.CSTNode, trace: Trace) -> bool:
    """Whether an arm computes a term of a loss, which every micro-batch of the update needs."""
    made = {id(source.node) for event in trace.of(What.BACKWARD) for source, _ in event.terms}
    return any(id(each) in made for each in walk(branch))


def _done_again(asked: Sequence[Remainder], view: View, trace: Trace) -> Event | None:
    """An action of the condition's arm that has a lasting effect and runs on two micro-batches between the same two updates.

    If the data decide as well whether the arm runs, it may run once per update.
    """
    branch, level = asked[0].branch, len(asked[0].loops)
    own = {id(step) for step in view.steps}
    first: dict[tuple[int, int], Event] = {}
    steps = 0
    for event in trace.events:
        steps += id(event) in own
        if event.what not in (What.CALL, What.PASS) or (branch, 0, False) not in event.path:
            continue
        if event.what is What.CALL and not _lasts(event):
            continue
        key = (id(event.node), steps)
        known = first.setdefault(key, event)
        if known.turns[:level] != event.turns[:level]:
            depth = len(asked[0].stack)
            return replace(known, node=known.stack[depth]) if len(known.stack) > depth else known
    return None


def _lasts(event: Event) -> bool:
    last = event.text.rsplit(".", 1)[-1]
    return (
        last not in _SHOWS and not event.text.startswith(("scaler.", "scheduler.")) and (not event.only_reads or last == "save")
    )
