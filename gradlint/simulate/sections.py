"""The events of a trace that concern each optimizer, loop by loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import itemgetter

from gradlint.simulate.trace import Event, Stepper, Trace, What
from gradlint.simulate.windows import Placed


def sections(trace: Trace) -> Iterator[tuple[Stepper, int, list[Placed]]]:
    """The events that concern each optimizer while it trains, separately for each of several consecutive loops.

    Events of one optimizer do not matter to the others, so each view contains only its optimizer's.
    """
    shared: list[Placed] = []
    of_one: dict[int, list[Placed]] = {}
    homes: dict[int, int] = {}
    for place, event in enumerate(trace.events):
        if event.what is What.BACKWARD:
            homes[place] = _home(event)
        is_shared = event.what is What.BACKWARD or event.target == -1
        (shared if is_shared else of_one.setdefault(event.target, [])).append((place, event))
    for optimizer in trace.optimizers:
        life, number = _life(optimizer, trace), optimizer.number
        common = [each for each in shared if each[0] not in homes or each[1].concerns(number)]
        concerned = sorted([*common, *of_one.get(number, ())], key=itemgetter(0))
        for home, events in _by_home([each for each in concerned if each[0] in life], homes).items():
            yield optimizer, home, events


def _life(optimizer: Stepper, trace: Trace) -> range:
    """The indexes of the events while an optimizer trains. One rebuilt at the same place, as for each fold, replaces it."""
    begin, end = 0, len(trace.events)
    kin = [each.number for each in built_at(optimizer, trace)]
    if len(kin) < 2:
        return range(end)
    known = [(place, event.known) for place, event in enumerate(trace.events) if event.what is What.BACKWARD]
    if any(number < optimizer.number for number in kin):
        begin = max((place + 1 for place, count in known if count <= optimizer.number), default=0)
    heir = min((number for number in kin if number > optimizer.number), default=None)
    if heir is not None:
        until = next((place for place, count in known if count > heir), end)
        later = (each for each in trace.events[until:] if each.what is What.STEP and each.target == optimizer.number)
        end = end if any(later) else until
    return range(begin, end)


def built_at(optimizer: Stepper, trace: Trace) -> list[Stepper]:
    """The optimizers built at the same place in the code."""
    return [each for each in trace.optimizers if each.node is not None and each.node is optimizer.node]


def _by_home(events: list[Placed], homes: Mapping[int, int]) -> dict[int, list[Placed]]:
    """The events by the outermost loop of the text with a backward pass. Events after a loop belong to it, until the next one.

    `homes` maps the indexes of the backward passes to these loops.
    """
    met = [homes[place] for place, _ in events if place in homes]
    known = set(met)
    if len(known) < 2:
        return {0: events}
    found: dict[int, list[Placed]] = {}
    current = met[0]
    for place, event in events:
        home = _home(event)
        current = home if home in known else current
        found.setdefault(current, []).append((place, event))
    return found


def _home(event: Event) -> int:
    """The outermost loop of the text around an event."""
    return next((id(loop) for loop in event.loops if type(loop).__name__ != "FunctionDef"), 0)
