"""Backward passes that are no part of the training that they stand in: switched off by their caller, or run in one iteration alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.model.names.records import Frame, RawEvent, Site
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import NOT_LITERAL, literal
from gradlint.model.syntax.paths import Guard
from gradlint.model.types import OUT_OF_SIGHT, Kind
from gradlint.model.window.counting import Body, count_of


def running(events: Sequence[RawEvent], resolver: Resolver) -> list[RawEvent]:
    """Without what a call switches off, as `do_backward=False` does, where another call of the same function lets it run."""
    calls: dict[int, list[RawEvent]] = {}
    for event in events:
        calls.setdefault(id(event.node), []).append(event)
    off = {each for same in calls.values() if len(same) > 1 for each in same if _is_off(each, resolver)}
    needless = {each for each in off if any(other not in off for other in calls[id(each.node)])}
    return [event for event in events if event not in needless]


def measures_once(backward: RawEvent, loop: Guard | None, events: Sequence[RawEvent], resolver: Resolver) -> bool:
    """`if step == 0:` around a backward pass, with the optimizer's step outside: it looks at the gradients of one batch.

    Where the other arm has a backward pass of its own that runs more often, the two together are one in each iteration.
    """
    for guard in _once(backward, loop, resolver):
        beside = [e for e in events if any(each.group == guard.group for each in e.path)]
        within = [e for e in beside if any(each is guard for each in e.path)]
        others = (e for e in beside if e.kind is Kind.BACKWARD and e not in within)
        steps = any(e.kind is Kind.OPTIMIZER_STEP for e in within)
        if not steps and all(any(True for _ in _once(other, loop, resolver)) for other in others):
            return True
    return False


def out_of_sight(backward: RawEvent, loop: Guard) -> RawEvent:
    """What stands for the training's own backward pass where a loop shows only one that measures.

    It runs in each iteration; where in it, and of which loss, is not known.
    """
    assert isinstance(loop.frame, Frame)
    path = backward.path[: backward.path.index(loop) + 1]
    return RawEvent(Kind.BACKWARD, backward.node, loop.frame, path, backward.index, None, None, through=OUT_OF_SIGHT)


def _once(event: RawEvent, loop: Guard | None, resolver: Resolver) -> Iterator[Guard]:
    """The decisions about an event that one iteration of a loop alone takes."""
    if loop is not None and loop in event.path:
        yield from (g for g in event.path[event.path.index(loop) + 1 :] if _holds_once(g, loop, event.path, resolver))


def _is_off(event: RawEvent, resolver: Resolver) -> bool:
    """It stands on the arm of a test of a parameter that the caller's own True or False does not take."""
    for place, guard in enumerate(event.path):
        if guard.kind != "branch" or guard.test is None or not isinstance(guard.frame, Frame):
            continue
        site = Site(guard.frame, guard.index, event.path[:place])
        for part, truth in _settled(guard.test, guard.arm == 0):
            if not isinstance(part, cst.Name):
                continue
            found = resolver.reaching(part.value, site)[0]
            value = found[0].value if len(found) == 1 and found[0].how in ("param", "default") else None
            given = literal(value) if value is not None else NOT_LITERAL
            if isinstance(given, bool) and given is not truth:
                return True
    return False


def _holds_once(guard: Guard, loop: Guard, path: Sequence[Guard], resolver: Resolver) -> bool:
    """It asks whether a count of the loop's iterations is a certain number."""
    if guard.kind != "branch" or guard.test is None or not isinstance(guard.frame, Frame):
        return False
    site = Site(guard.frame, guard.index, tuple(path[: list(path).index(guard)]))
    for part, truth in _settled(guard.test, guard.arm == 0):
        index = _asks_for_a_number(part, truth)
        count = count_of(index, site, resolver, Body(loop)) if index is not None else None
        if count is not None and count.counters and all(_only_grows(name, site, loop, resolver) for name in count.counters):
            return True
    return False


def _asks_for_a_number(test: cst.BaseExpression, truth: bool) -> cst.BaseExpression | None:
    """`i` of `i == 7`, of `i < 1` and of `not i`, as far as the answer holds for one number alone."""
    if not isinstance(test, cst.Comparison):
        return test if not truth and isinstance(test, (cst.Name, cst.Attribute)) else None
    target = test.comparisons[0]
    number = literal(target.comparator)
    if len(test.comparisons) != 1 or isinstance(number, bool) or not isinstance(number, int):
        return None
    equal = isinstance(target.operator, cst.Equal if truth else cst.NotEqual)
    below = isinstance(target.operator, cst.LessThan) and truth and number == 1
    above = isinstance(target.operator, cst.GreaterThan) and not truth and number == 0
    return test.left if equal or below or above else None


def _only_grows(name: str, site: Site, loop: Guard, resolver: Resolver) -> bool:
    """In the loop, the counter is given nothing but its next value."""
    inside = [d for d in resolver.all_of(name, site.frame) if loop in d.path]
    return all(d.how == "augment" or (d.how == "loop" and d.path[-1] is loop) for d in inside)


def _settled(test: cst.BaseExpression, truth: bool) -> Iterator[tuple[cst.BaseExpression, bool]]:
    """The parts of a test of which its answer tells the answer."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        yield from _settled(test.expression, not truth)
    elif isinstance(test, cst.BooleanOperation):
        if isinstance(test.operator, cst.And) is truth:
            yield from _settled(test.left, truth)
            yield from _settled(test.right, truth)
    else:
        yield test, truth
