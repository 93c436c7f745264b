"""Finds the world that a text is run in: one in which weights are updated, by whole windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gradlint.simulate.assumptions import STEPS_OUT_OF_SIGHT
from gradlint.simulate.trace import SHORT, Trace, What
from gradlint.simulate.views import begin_alike, views
from gradlint.simulate.windows import micros_of
from gradlint.simulate.world import Asked, World, assumed_number, last_part, spells_rows

SMALL, LARGE = 3, 5
"""N in the usual world, and in the one that is held against it."""

POWERS = 4, 8
"""The same where N has to be a power of two."""


TURNS = 8
"""Answers at the most that are turned over to come to an update."""


FLIPS = 6
"""Worlds at the most in which one answer is another one."""


ARMS = 2
"""The same for a loop that has nothing to see in the usual world, and for what the data decide there."""


_LONGEST = 64
"""Micro-batches that a window whose size is a plain number may have to be run."""


@dataclass(frozen=True, eq=False)
class Played:
    """One run of a root in a world."""

    world: World
    trace: Trace
    asked: Asked


def room(size: int) -> int:
    """Batches of a pass that has two whole windows of a size, and leaves some over."""
    return 2 * size + (2 if size > 2 else 1)


def turned(first: Played, play: Callable[[World], Played]) -> Played:
    """The run that comes to an update; answers that keep it from that are turned over one at a time, the latest first.

    Where nothing is backpropagated, answers that lead past a backward pass come before all others, and what the data decide is
    turned over, too. From the first answer that leads to a backward pass and to no update, it goes on: with the answers that
    have led there.
    """
    if first.trace.of(What.STEP):
        return first
    found: Played | None = first
    while found is not None:
        found = _nearer(found, play)
        if found is not None and found.trace.of(What.STEP):
            return play(replace(found.world, seeking=False))
    if any(spells_rows(last_part(name)) for name in first.asked.actual):
        again = play(replace(first.world, small=True))
        return again if again.trace.of(What.STEP) else first
    return first


def _turned_over(first: Played) -> list[World]:
    """The worlds in which one more answer is another one, or a branch that the data decide takes its other arm."""
    asked, answered = first.asked, {key for key, _ in first.world.answers}
    keys = [each for each in reversed(asked.questions) if each in asked.deciding - answered]
    arms = range(0)
    backwards = first.trace.of(What.BACKWARD)
    if backwards:
        around = [asked.branches.get(node, "") for node, _, _ in backwards[0].path]
        keys.sort(key=lambda key: around[::-1].index(key) if key in around else len(around))
    else:
        keys.sort(key=lambda key: key not in asked.leading)
        arms = range(min(len(asked.varied), ARMS))
    answers = [replace(first.world, answers=(*first.world.answers, (key, not asked.questions[key]))) for key in keys[:TURNS]]
    return answers + [replace(first.world, elsewhere=frozenset((number,))) for number in arms]


def _nearer(first: Played, play: Callable[[World], Played]) -> Played | None:
    """The first run with one answer turned over that comes to an update, or to a backward pass where none was."""
    for world in _turned_over(first):
        again = play(replace(world, seeking=True))
        if again.trace.of(What.STEP) or (again.trace.of(What.BACKWARD) and not first.trace.of(What.BACKWARD)):
            return again
    return None


def fitted(first: Played, play: Callable[[World], Played]) -> Played:
    """The run in a world that has room for the windows of the text: their N, and passes that are long enough."""
    if first.asked.masked:
        first = play(replace(first.world, n=POWERS[0], length=room(POWERS[0])))
    first = _told_apart(first, play)
    if not first.trace.of(What.STEP) and (first.world.n,) * 2 in [counts[:2] for counts in first.trace.calls.values()]:
        first = play(replace(first.world, length=room(first.world.n**2)))  # an engine counts windows
    world = first.world
    others = {name for name in first.asked.gates if _may_be_steps(name)} - first.trace.n_names
    if others and not is_whole(first.trace):
        for names in (frozenset(others), *(frozenset((name,)) for name in sorted(others)[:4] if len(others) > 1)):
            again = play(replace(world, n_names=names))
            if is_whole(again.trace):
                return again
    if is_whole(first.trace):
        return first
    for key in [each for each in sorted(first.asked.deciding) if "accum" in each.lower()][:TURNS]:
        again = play(replace(world, answers=((key, not first.asked.questions[key]),)))
        if is_whole(again.trace):
            return again
    for name in sorted(others)[:4] if any(view.size == 1 for view in views(first.trace)) else ():
        again = play(replace(world, n_names=frozenset((name,))))
        if _clears_by_n(again.trace):
            return again
    for size in sorted(each for each in first.asked.moduli | set(sizes(first.trace)) if 1 < each <= _LONGEST)[:4]:
        again = play(replace(world, length=room(size)))
        if sizes(again.trace).get(size, 0) == 1:
            again = play(replace(world, length=room(size) + size))  # the first window may be cut short
        if sizes(again.trace).get(size, 0) > 1:
            return again
    return first


def _told_apart(first: Played, play: Callable[[World], Played]) -> Played:
    """Of several settings whose names spell accumulation steps, those are N that an update waits for, or whose last name is theirs."""
    spelled = first.trace.n_names
    waiting = {last_part(each) for each in spelled & first.asked.gates if not each.endswith(STEPS_OUT_OF_SIGHT)}
    others = frozenset(each for each in spelled if last_part(each) not in waiting and not each.endswith(STEPS_OUT_OF_SIGHT))
    if not waiting or not others:
        return first
    again = play(replace(first.world, not_n=others))
    return again if is_whole(again.trace) or not is_whole(first.trace) else first


def _may_be_steps(name: str) -> bool:
    return (
        not name.startswith(("len(", "accelerator.sync"))
        and ".split(" not in name  # part of a text, as of the name of a file
        and "epoch" not in name.lower()
        and assumed_number(name, None) is None
    )


def exact(first: Played, larger: Played, play: Callable[[World], Played]) -> Played:
    """The run with the N of the text itself, where numbers of the text go with that N, and tell nothing with another one.

    These are numbers that a counter begins at, lists as long as the run, windows whose size is a number beside a loss that is
    divided by a setting, and a first window of one size with any N; or with another N no update comes at all.
    """
    n = first.trace.actual_n
    if not 1 < n <= _LONGEST or n == first.world.n:
        return first
    others = {view.key: view for view in views(larger.trace)}
    pairs = [(view, others[view.key]) for view in views(first.trace) if view.key in others]
    literal = any(view.size == other.size == n or view.first_size == other.first_size == n for view, other in pairs)
    idle = not first.trace.of(What.STEP)
    if SHORT in first.trace.risks or literal or idle or not all(begin_alike(view, other) for view, other in pairs):
        return play(replace(first.world, n=n, length=room(n)))
    return first


def is_whole(trace: Trace) -> bool:
    """Whether whole updates are made of just N micro-batches."""
    return trace.n in sizes(trace)


def _clears_by_n(trace: Trace) -> bool:
    """Whether gradients are cleared once in N micro-batches, again and again, each of which has an update."""
    for view in views(trace):
        cleared = [len(micros_of(event)) for event in view.of(What.ZERO)]
        if view.size == 1 and cleared.count(trace.n) > 1 and max(cleared) == trace.n:
            return True
    return False


def sizes(trace: Trace) -> dict[int, int]:
    """Of how many micro-batches the whole updates of each optimizer are made, and how often."""
    return {view.size: view.sizes.count(view.size) for view in views(trace)}
