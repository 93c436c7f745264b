"""Where windows begin and end: the first of a run, and the last of a pass over the data (GRD201, GRD202)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, What
from gradlint.simulate.windows import View, micros_of, pending


def first_window(view: View) -> Iterator[Fault]:
    """The first window has another size than those that follow it."""
    closed = [window for window in view.closed if window.micros]
    if len(closed) < 2 or len(closed[1].micros) != view.size:
        return
    first = closed[0]
    if len(first.micros) == view.size or any(event.what is What.END for _, event in first.events) or view.ends(first):
        return
    assert first.step is not None
    yield Fault("GRD201", first.step)


def tails(view: View) -> Iterator[Fault]:
    """A pass over the data ends inside a window that never becomes a whole one."""
    events = [event for _, event in view.events]
    ends = [index for index, event in enumerate(events) if event.what is What.END]
    starts = {event.text: event for event in events if event.what is What.PASS}
    for end in ends:
        start = starts.get(events[end].text)
        if start is None or start.through == "endless":
            continue
        left = _since_step(events[:end], view)
        if not left or len(left) >= view.size:
            continue
        if view.steps[-1].through == "deepspeed":
            continue  # the engine counts on, over the passes
        outcome = _fate(events[end + 1 :], left, view)
        single = sum(events[other].text == events[end].text for other in ends) == 1
        if outcome == "lost" or (outcome == "left" and single and start.through == "" and not view.trace.ended):
            yield Fault("GRD202", view.steps[-1], events[end])
            return


def _since_step(events: Sequence[Event], view: View) -> set[int]:
    """The micro-batches that a pass leaves behind."""
    steps = [index for index, event in enumerate(events) if event.what is What.STEP and event.target == view.optimizer.number]
    return pending(events[steps[-1] + 1 if steps else 0 :])


def _fate(events: Sequence[Event], left: set[int], view: View) -> str:
    """What becomes of the micro-batches that a pass leaves: "used" by a step before others come, or in a window of the right
    size; "lost" where they are cleared, or make a window too large; "left" where the run is over, "" where that is not seen."""
    came: set[int] = set()
    for event in events:
        if event.what is What.BACKWARD:
            came |= micros_of(event)
        elif event.what is What.ZERO and not view.uncertain(event):
            if micros_of(event) & left:
                return "lost"
            if not came:
                return "used"
        elif event.what is What.STEP and event.target == view.optimizer.number:
            if not came:
                return "used"
            return "used" if len(left) + len(came) == view.size else "lost"
    return "" if came else "left"
