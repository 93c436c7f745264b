"""Which updates of a run have what belongs to each: a clip, an unscaling, a schedule step, an average."""

from __future__ import annotations

from gradlint.simulate.trace import Event, Trace, What


def loses(before: Trace, after: Trace, what: What) -> bool:
    """Whether an event that belonged to an update is no longer next to it, between the same backward passes.

    Both runs have the same backward passes. An event for no optimizer in particular may belong to the updates of any.
    """
    targets = {event.target for event in before.of(what)}
    steppers = {event.target for event in before.of(What.STEP)}
    for target in targets:
        others = [each for each in sorted(steppers) if target in (-1, each)]
        if others and not any(_served(before, what, each) <= _beside(after, what, each) for each in others):
            return True
    return False


def _served(trace: Trace, what: What, stepper: int) -> set[int]:
    """The updates of an optimizer that have an event of a kind since the previous update.

    Each update is given as the number of backward passes before it.
    """
    found: set[int] = set()
    seen, passed = False, 0
    for passed, stretch in enumerate(_stretches(trace)):
        seen = seen or any(each.what is what and each.target in (-1, stepper) for each in stretch)
        if any(each.what is What.STEP and each.target == stepper for each in stretch):
            found |= {passed} if seen else set()
            seen = False
    return found


def _beside(trace: Trace, what: What, stepper: int) -> set[int]:
    """The numbers of backward passes that are followed by an event of a kind before the next one."""
    stretches = enumerate(_stretches(trace))
    return {passed for passed, each in stretches if any(e.what is what and e.target in (-1, stepper) for e in each)}


def _stretches(trace: Trace) -> list[list[Event]]:
    """The events between two backward passes."""
    stretches: list[list[Event]] = [[]]
    for event in trace.events:
        if event.what is What.BACKWARD:
            stretches.append([])
        else:
            stretches[-1].append(event)
    return stretches
