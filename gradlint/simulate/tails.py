"""Where windows begin and end: the first of a run, and the last of a pass over the data (GRD201, GRD202)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.simulate.counters import begins_anywhere
from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.values import IN_WINDOWS, of_length
from gradlint.simulate.views import View, begin_alike
from gradlint.simulate.windows import Window, begins_anew, in_loop_of_data, in_real_loop, micros_of, pending
from gradlint.simulate.world import WINDOW_OF, assumed_number, last_part, spells_counter

COUNTS = re.compile(
    r"count|_idx|idx_|(^|_)(steps?|iters?|iterations?|batch(es)?)_(done|seen|so_far|train)|^(i|it|step|iter)$", re.I
)
"""Names of counters."""


def first_window(view: View, larger: View | None) -> Iterator[Fault]:
    """The first window differs in size from the following ones, either by the same amount or with the same size for any N."""
    closed = [window for window in view.closed if window.micros]
    if len(closed) < 2 or len(closed[1].micros) != view.size:
        return
    first = closed[0]
    if len(first.micros) == view.size or any(event.what is What.END for _, event in first.events) or view.ends(first):
        return
    assert first.step is not None
    told_apart = larger is not None and larger.first_size and larger.size != view.size
    if larger is not None and told_apart and not begin_alike(view, larger) and not _is_exact(view.trace):
        return  # a counter that continues from an earlier run
    if any(first.backwards[0].rounds) or (view.trace.counted and not in_loop_of_data(first.step, first.backwards[-1])):
        return  # the loop did not start at its beginning, or only the caller knows whether it did
    if any(_grows(window, view) for window in closed[2:]):
        return  # the script starts with small windows on purpose
    if any(map(_starts_somewhere, view.trace.gates & view.trace.settings.keys() - view.trace.n_names)) or begins_anywhere(view):
        return  # unknown code decides where a counter starts
    yield Fault("GRD201", first.step)


def _grows(window: Window, view: View) -> bool:
    """Whether a window is larger than the usual ones, and not because a pass left something over."""
    return len(window.micros) > view.size and not any(event.what is What.END for _, event in window.events)


ALL_BUT_THE_LAST = "it steps on all micro-batches of a window but the last"


def inverted(view: View, larger: View | None) -> Iterator[Fault]:
    """The optimizer steps on every micro-batch except the last of a window, whose gradients wait for the next step."""
    if _all_but_the_last(view) and (larger is None or _all_but_the_last(larger)):
        yield Fault("GRD201", view.steps[0], why=ALL_BUT_THE_LAST)


def _all_but_the_last(view: View) -> bool:
    """Whether the first pass over the data steps on all but every N-th micro-batch, whose gradients the next step uses."""
    n, stepped = view.trace.n, list[bool]()
    for _, event in view.events:
        if event.what is What.BACKWARD:
            stepped.append(False)
        elif event.what is What.STEP and stepped:
            stepped[-1] = True
        elif event.what is What.END and stepped:
            break
    left = [place for place, has_step in enumerate(stepped, 1) if not has_step]
    named = any(view.trace.settings.get(name) == n for name in view.trace.n_names)
    return named and 2 < n < len(stepped) and left == list(range(n, len(stepped) + 1, n)) and max(view.held) == 2


NEVER_AGAIN = "it steps on the first micro-batch, and never again"


def stalled(view: View, larger: View | None) -> Iterator[Fault]:
    """The optimizer steps on the first micro-batch, and on none of the next 2N: what its condition reads never advances."""
    if larger is not None and larger.trace.n != view.trace.n and _steps_once(view) and _steps_once(larger):
        yield Fault("GRD201", view.steps[0], why=NEVER_AGAIN)


def _steps_once(view: View) -> bool:
    """Whether a condition on N holds for the first micro-batch of the loop around it, and for no other."""
    trace, step = view.trace, view.steps[0]
    if len(view.steps) > 1 or trace.ended or trace.gates.isdisjoint(trace.n_names) or not in_real_loop(step):
        return False
    fed = {id(trace.events[place].node) for place in step.held}
    later = [event for event in view.windows[-1].of(What.BACKWARD) if id(event.node) in fed and event.loops == step.loops]
    asked = any(node for node, _, _ in step.path)
    return asked and len(micros_of(step)) == 1 and len({micro for event in later for micro in micros_of(event)}) >= 2 * trace.n


def _is_exact(trace: Trace) -> bool:
    """Whether the world matches the defaults of the text: N has its default, and so does everything that gates updates."""
    return trace.n == trace.actual_n and all(name in trace.actual or of_length(name) for name in trace.gates - trace.n_names)


def _starts_somewhere(name: str) -> bool:
    """Whether the name of a setting suggests where a counter starts."""
    last = last_part(name)
    if assumed_number(name, None) is not None:
        return False
    return spells_counter(last) or COUNTS.search(last) is not None


CLEARED, MIXED, LEFT, USED = "cleared", "mixed", "left", "used"
"""What may happen to the micro-batches that a pass leaves over."""


def tails(view: View, fates: frozenset[str] = frozenset((CLEARED, MIXED, LEFT))) -> Iterator[Fault]:
    """A pass over the data ends inside a window that never fills up; `fates` are what may have become of its micro-batches."""
    events = [event for _, event in view.events]
    if view.steps[-1].through == "deepspeed":
        return  # the engine keeps counting across passes
    if any(name.startswith(WINDOW_OF) for name in view.trace.n_names):
        return  # whatever sets the flag may know when a pass ends
    ends = [index for index, event in enumerate(events) if event.what is What.END]
    starts = {event.text: event for event in events if event.what is What.PASS}
    for end in ends:
        start = starts.get(events[end].text)
        if start is None or start.through in ("endless", IN_WINDOWS):
            continue
        single = sum(events[other].text == events[end].text for other in ends) == 1
        bounded = not view.trace.bounded.isdisjoint(map(id, events[end].loops))
        alone = single and start.through == "" and not view.trace.ended and not bounded
        outcome = _outcome(events, end, end + 1, view)
        if outcome in fates and (alone or outcome != LEFT):
            yield Fault("GRD202", closing(view), events[end])
            return
    if view.trace.counted and view.backwards and not in_loop_of_data(view.steps[-1], view.backwards[-1]):
        return  # only the caller knows when a pass begins
    for begun in _begun_anew(events, view):
        ahead = events[begun].what is What.PASS
        if _outcome(events, begun, begun, view, ahead=ahead) in fates - {LEFT}:
            yield Fault("GRD202", closing(view), events[begun])
            return


def closing(view: View) -> Event:
    """The last step in the loop around the backward passes, or the last of all if that loop has none."""
    loops = {id(event.loops[-1]) for event in view.backwards if event.loops}
    inside = [step for step in view.steps if not loops.isdisjoint(map(id, step.loops))]
    return (inside or view.steps)[-1]


def _outcome(events: Sequence[Event], end: int, following: int, view: View, *, ahead: bool = True) -> str:
    """What happens to the leftovers of a pass that ends at `end` when the next starts at `following`; "" if there are none."""
    left = _since_step(events[:end], view)
    return _fate(events[following:], left, view, ahead=ahead) if left and len(left) < view.size else ""


def _begun_anew(events: Sequence[Event], view: View) -> Iterator[int]:
    """Where another pass begins without an event for the end of the one before: its loop is entered again.

    A range as long as some data, or a list of batches that repeats, has no event for the beginning of a pass either. Such a
    pass begins with its first backward pass.
    """
    last: Event | None = None
    begun = 0
    trained: dict[tuple[cst.CSTNode, ...], set[int]] = {}
    for place, event in enumerate(events):
        if event.what is What.PASS:
            begun = place
        elif event.what is What.BACKWARD:
            again = last is not None and last.loops == event.loops and last.turns[:-1] != event.turns[:-1]
            before = trained.setdefault(event.loops, set())
            whole = (
                events[begun].through == IN_WINDOWS if begun else not (_walks(event, view) or _come_again(event, before, view))
            )
            if again and not whole:
                yield begun or place
            before |= micros_of(event)
            last, begun = event, 0


def _walks(event: Event, view: View) -> bool:
    """Whether a backward pass is in a loop over a range that is as long as some data."""
    return bool(event.loops) and id(event.loops[-1]) in view.trace.walking


def _come_again(event: Event, before: set[int], view: View) -> bool:
    """Whether a backward pass is for micro-batches that its loop has had before, among those of several windows."""
    return len(before) > view.size and micros_of(event) <= before


def wiped(view: View) -> Iterator[Fault]:
    """The leftovers of an inner loop are cleared when the loop around it continues."""
    if any(event.through == IN_WINDOWS for event in view.of(What.PASS)):
        return  # its data fill whole windows
    used = {place for step in view.steps for place in step.held}
    for window in view.windows:
        for place, zero in window.events:
            if zero.what is not What.ZERO:
                continue
            lost = [view.trace.events[place] for place in zero.held if place not in used]
            left = set().union(*(micros_of(each) for each in lost))
            if lost and 0 < len(left) < view.size and begins_anew(zero, lost[-1]) and _goes_on(view, place):
                yield Fault("GRD202", closing(view), zero)
                return


def _goes_on(view: View, place: int) -> bool:
    """Whether there is a backward pass after a given index in the trace."""
    return any(event.what is What.BACKWARD and other > place for other, event in view.events)


def _since_step(events: Sequence[Event], view: View) -> set[int]:
    """The micro-batches left over since the last step."""
    steps = [index for index, event in enumerate(events) if event.what is What.STEP and event.target == view.optimizer.number]
    return pending(events[steps[-1] + 1 if steps else 0 :])


def _fate(events: Sequence[Event], left: set[int], view: View, *, ahead: bool) -> str:
    """What happens to the micro-batches that a pass leaves over.

    They are used if a step comes before other micro-batches do, or if those complete a window of the right size. Otherwise they
    are cleared, mixed with others into a window of another size, or left when the run is over; "" if that is unknown. An
    accelerator that counts before the script draws the next batch flushes with the first micro-batch of the next pass.
    `ahead` says that batches are drawn ahead, so backward passes until the next pass begins still belong to this one.
    """
    came: set[int] = set()
    inside = {id(zero.node) for zero in view.lost}  # they are the fault: without them the gradients would have survived
    for place, event in enumerate(events):
        if event.what is What.PASS:
            ahead = False
        elif event.what is What.BACKWARD and ahead:
            left = left | micros_of(event)
        elif event.what is What.BACKWARD:
            came |= micros_of(event)
        elif event.what is What.ZERO and not view.uncertain(event) and id(event.node) not in inside:
            if micros_of(event) & left:
                return CLEARED if any(later.what is What.BACKWARD for later in events[place:]) else LEFT
            if not came:
                return USED
        elif event.what is What.STEP and event.target == view.optimizer.number:
            if not came:
                return USED
            early = len(left) + len(came) < view.size and bool(view.trace.of(What.COUNT))
            return USED if early or len(left) + len(came) == view.size else MIXED
    return "" if came else LEFT
