"""Finds the world to run a text in: one that updates the weights, in whole windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gradlint.simulate.assumptions import STEPS_OUT_OF_SIGHT
from gradlint.simulate.trace import SHORT, Trace, What
from gradlint.simulate.views import begin_alike, views
from gradlint.simulate.windows import micros_of
from gradlint.simulate.world import Asked, World, assumed_number, last_part, spells_rows

SMALL, LARGE = 3, 5
"""N in the usual world, and in the world it is compared with."""

POWERS = 4, 8
"""The same, for programs whose N must be a power of two."""


TURNS = 8
"""How many answers may be flipped to reach an update."""


FLIPS = 6
"""How many worlds may flip one answer."""


ARMS = 2
"""The same for a loop with nothing to check in the usual world, and for branches that the data decide there."""


_LONGEST = 64
"""The largest window that is run in full if its size is a plain number."""


@dataclass(frozen=True, eq=False)
class Played:
    """One run of a root in a world."""

    world: World
    trace: Trace
    asked: Asked


def room(size: int) -> int:
    """The length of a pass that holds two whole windows of a size, and a partial one."""
    return 2 * size + (2 if size > 2 else 1)


def turned(first: Played, play: Callable[[World], Played]) -> Played:
    """A run that reaches an update: answers that prevent it are flipped one at a time, the latest first.

    If nothing is backpropagated, answers that skip a backward pass come first, and branches that the data decide are flipped too.
    An answer that leads to a backward pass but not to an update is kept, and the search goes on from there.
    """
    if first.trace.of(What.STEP):
        return first
    found: Played | None = first
    nearest = first
    while found is not None:
        nearest = found
        if found.trace.of(What.STEP):
            return play(replace(found.world, seeking=False))
        found = _nearer(found, play)
    if not first.trace.of(What.BACKWARD) and nearest is not first:
        first = play(replace(nearest.world, seeking=False))  # its windows may be longer than its passes
    if any(spells_rows(last_part(name)) for name in first.asked.actual):
        again = play(replace(first.world, small=True))
        return again if again.trace.of(What.STEP) else first
    return first


def _turned_over(first: Played) -> list[World]:
    """The worlds that flip one more answer, or take the other arm of a branch that the data decide."""
    asked, answered = first.asked, {key for key, _ in first.world.answers}
    keys = [each for each in reversed(asked.questions) if each in asked.deciding - answered]
    arms = range(0)
    backwards = first.trace.of(What.BACKWARD)
    if backwards:
        around = [asked.branches.get(node, "") for node, _, _ in backwards[0].path]
        keys.sort(key=lambda key: around[::-1].index(key) if key in around else len(around))
    else:
        keys.sort(key=lambda key: key not in asked.leading)
        keys += [each for each in reversed(asked.questions) if each not in asked.deciding | answered]  # a flag may come from it
        arms = range(min(len(asked.varied), ARMS))
    answers = [replace(first.world, answers=(*first.world.answers, (key, not asked.questions[key]))) for key in keys[:TURNS]]
    return answers + [replace(first.world, elsewhere=frozenset((number,))) for number in arms]


def _nearer(first: Played, play: Callable[[World], Played]) -> Played | None:
    """The first run with one answer flipped that reaches an update, or a backward pass if there was none before."""
    for world in _turned_over(first):
        again = play(replace(world, seeking=True))
        if again.trace.of(What.STEP) or (again.trace.of(What.BACKWARD) and not first.trace.of(What.BACKWARD)):
            return again
    return None


def fitted(first: Played, play: Callable[[World], Played]) -> Played:
    """The run in a world that fits the windows of the text: it has the right N, and passes that are long enough."""
    rows = tuple((name, rows) for name, rows in sorted(first.asked.rows.items()) if name in first.asked.lengths)
    if rows:
        first = play(replace(first.world, rows=rows))
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
    """Choose N among several settings named like accumulation steps: those that updates depend on, compared by last name."""
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
        and ".split(" not in name  # part of a string, such as a file name
        and "epoch" not in name.lower()
        and assumed_number(name, None) is None
    )


def exact(first: Played, larger: Played, play: Callable[[World], Played]) -> Played:
    """The run with the N that the text gives, if constants in the text only make sense with that N.

    Such constants are the start of a counter, a list as long as the run, a window size next to a loss that is divided by a
    setting, or a first window whose size does not change with N. The same applies if another N never reaches an update.
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
    """Whether whole updates are made of exactly N micro-batches."""
    return trace.n in sizes(trace)


def _clears_by_n(trace: Trace) -> bool:
    """Whether the optimizer steps on every micro-batch, but gradients are repeatedly cleared only once every N of them."""
    for view in views(trace):
        cleared = [len(micros_of(event)) for event in view.of(What.ZERO)]
        if view.size == 1 and cleared.count(trace.n) > 1 and max(cleared) == trace.n:
            return True
    return False


def sizes(trace: Trace) -> dict[int, int]:
    """The number of micro-batches in a whole update of each optimizer, and how often updates of that size occur."""
    return {view.size: view.sizes.count(view.size) for view in views(trace)}
