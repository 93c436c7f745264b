"""Counters: what an index is worth at the first micro-batch, and whether it starts anew with each pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.model.names.records import Definition, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import WRAPS_ITERABLE
from gradlint.model.syntax.expressions import argument, dotted, last_name, literal
from gradlint.model.syntax.paths import Guard, Path

_ITERATES = WRAPS_ITERABLE | {"enumerate", "range", "count", "zip", "iter"}


@dataclass(frozen=True, eq=False)
class Body:
    """The micro-batch body that is counted: its loop (None: loopless), and the branch arms its backward passes lie on."""

    loop: Guard | None
    arms: frozenset[tuple[object, int]] = frozenset()

    def holds(self, path: Path) -> bool:
        """Whether what has this path stands in the body."""
        return self.loop is None or any(guard is self.loop for guard in path)


@dataclass(frozen=True)
class Count:
    """The value of an index at micro-batch k is `start + k`; `restarts` with each pass over the data, or not."""

    start: int
    counters: tuple[str, ...] = ()
    restarts: bool | None = None


def count_of(node: cst.BaseExpression, site: Site, resolver: Resolver, body: Body) -> Count | None:
    """What an index expression is worth at k = 0; None where that cannot be told."""
    value = literal(node)
    if isinstance(value, int) and not isinstance(value, bool):
        return Count(value)
    if isinstance(node, cst.BinaryOperation):
        return _combined(node, site, resolver, body)
    name = dotted(node)
    return _counter(name, node, site, resolver, body) if name else None


def _combined(node: cst.BinaryOperation, site: Site, resolver: Resolver, body: Body) -> Count | None:
    left, right = (count_of(side, site, resolver, body) for side in (node.left, node.right))
    if isinstance(node.operator, cst.Multiply):
        for side, other in ((left, node.right), (right, node.left)):
            if side is not None and side.start == 0 and not side.counters and literal(other) != 0:
                return Count(0)
        for factor in (node.left, node.right):
            if _outer_loop_start(factor, site, resolver, body) == 0:
                return Count(0, (), False)
        return None
    if left is None or right is None or (left.counters and right.counters):
        return None
    counters = left.counters or right.counters
    restarts = False if left.restarts is False or right.restarts is False else left.restarts or right.restarts
    if isinstance(node.operator, cst.Add):
        return Count(left.start + right.start, counters, restarts)
    if isinstance(node.operator, cst.Subtract) and not right.counters:
        return Count(left.start - right.start, counters, restarts)
    return None


def _outer_loop_start(node: cst.BaseExpression, site: Site, resolver: Resolver, body: Body) -> int | None:
    """The first value of a loop variable of a loop around the micro loop (an epoch)."""
    name = dotted(node)
    for definition in resolver.all_of(name, site.frame) if name else ():
        if definition.how == "loop" and (not definition.path or definition.path[-1] is not body.loop):
            return iteration_start(definition, resolver)
    return None


def iteration_start(definition: Definition, resolver: Resolver) -> int | None:
    """The first value of a loop target: of `enumerate`, of `range`; None for anything else."""
    if definition.value is None:
        return None
    return _start(definition.value, definition.position, site_of(definition), resolver)


def _start(node: cst.BaseExpression, position: int | None, site: Site, resolver: Resolver) -> int | None:
    node, site = unwrapped(node, site, resolver)
    if not isinstance(node, cst.Call):
        return None
    kind = last_name(node.func)
    if kind == "zip" and position is not None and position < len(node.args):
        return _start(node.args[position].value, None, site, resolver)
    if kind == "enumerate" and position == 0:
        start = argument(node, 1, "start")
        return 0 if start is None else _first(start, site, resolver)
    if kind in ("range", "trange") and position is None:
        plain = [arg for arg in node.args if arg.keyword is None]
        if kind == "trange" or len(plain) < 2:
            return 0
        step = plain[2].value if len(plain) > 2 else None
        return _first(plain[0].value, site, resolver) if step is None or literal(step) == 1 else None
    if kind == "count" and position is None:
        start = argument(node, 0, "start")
        return 0 if start is None else _first(start, site, resolver)
    return None


def unwrapped(node: cst.BaseExpression, site: Site, resolver: Resolver) -> tuple[cst.BaseExpression, Site]:
    """The iterable inside progress bars, through the names that hold it."""
    for _ in range(8):
        if isinstance(node, cst.Call) and last_name(node.func) in WRAPS_ITERABLE and last_name(node.func) != "trange":
            inner = argument(node, 0, "iterable", "sequence")
            if inner is None:
                break
            node = inner
            continue
        name = dotted(node)
        found = resolver.reaching(name, site)[0] if name else []
        latest = found[0] if found else None
        if latest is None or latest.how not in ("assign", "param") or not isinstance(latest.value, (cst.Call, cst.Name)):
            break
        if isinstance(latest.value, cst.Call) and last_name(latest.value.func) not in _ITERATES:
            break
        node, site = latest.value, site_of(latest)
    return node, site


def _first(node: cst.BaseExpression, site: Site, resolver: Resolver) -> int | None:
    """A start value; where a checkpoint may have replaced a literal, the literal of the fresh run."""
    value = resolver.number(node, site)
    if value is not None:
        return int(value) if float(value).is_integer() else None
    name = dotted(node)
    for definition in resolver.reaching(name, site)[0] if name else ():
        number = literal(definition.value) if definition.value is not None and definition.how == "assign" else None
        if isinstance(number, int):
            return int(number)
    return None


def _counter(name: str, node: cst.BaseExpression, site: Site, resolver: Resolver, body: Body) -> Count | None:
    definitions = resolver.all_of(name, site.frame)
    before = [d for d in definitions if d.index < site.index]
    target = next((d for d in reversed(before) if d.how == "loop"), None)
    increments = [d for d in definitions if _adds_one(d, name)]
    if target is not None and not increments:
        if body.loop is None or target.path[-1] is not body.loop:
            return None
        start = iteration_start(target, resolver)
        return Count(start, (name,), True) if start is not None else None
    inside = [d for d in increments if body.holds(d.path)]
    if len(inside) == 1 and (is_ungated(inside[0], site, body) or _made_up_for(inside[0], increments, body)):
        return _hand_kept(name, inside[0], definitions, site, resolver, body)
    if increments:
        return None
    alias = resolver.sole(node, site)
    if alias is not None and alias.value is not None and alias.how in ("assign", "param"):
        value = literal(alias.value)
        if isinstance(value, int):
            return Count(int(value)) if alias.how == "assign" else None
        return count_of(alias.value, site_of(alias), resolver, body)
    return None


def counts_otherwise(node: cst.BaseExpression, site: Site, resolver: Resolver, body: Body) -> bool:
    """Whether a counter grows by something else than one a micro-batch: by the samples in it, for one."""
    name = dotted(node)
    for each in resolver.all_of(name, site.frame) if name else ():
        grows = isinstance(each.node, cst.AugAssign) and isinstance(each.node.operator, cst.AddAssign)
        if grows and body.holds(each.path) and not _adds_one(each, name or ""):
            return True
    return False


def _adds_one(definition: Definition, name: str) -> bool:
    node = definition.node
    if isinstance(node, cst.AugAssign):
        return isinstance(node.operator, cst.AddAssign) and literal(node.value) == 1
    value = definition.value
    if definition.how == "assign" and isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Add):
        sides = (value.left, value.right)
        return any(dotted(a) == name and literal(b) == 1 for a, b in (sides, sides[::-1]))
    return False


def is_ungated(increment: Definition, site: Site, body: Body) -> bool:
    """The counter counts micro-batches: its increment lies under no condition that the test does not lie under."""
    depth = next((i for i, g in enumerate(increment.path) if g is body.loop), -1)
    arms = {(g.group, g.arm) for g in site.path} | body.arms
    return all(
        g.kind not in ("branch", "handler", "loop") or (g.group, g.arm) in arms or g.implied for g in increment.path[depth + 1 :]
    )


def _made_up_for(increment: Definition, increments: Sequence[Definition], body: Body) -> bool:
    """What some micro-batch of a pass does not count, usually the last one, is counted right after the loop."""
    others = [each for each in increments if each is not increment]
    place = next((i for i, guard in enumerate(increment.path) if guard is body.loop), None)
    if place is None or len(others) != 1 or len(increment.path) != place + 2:
        return False
    other = others[0]
    before, after = ([id(g) for g in path if g.kind != "with"] for path in (increment.path[:place], other.path))
    return other.index > increment.index and before == after


def _hand_kept(
    name: str, increment: Definition, definitions: list[Definition], site: Site, resolver: Resolver, body: Body
) -> Count | None:
    opened = body.loop.index if body.loop is not None else increment.index
    plain = [d for d in definitions if d.how == "assign" and not _adds_one(d, name)]
    starts = [d for d in plain if d.index < opened] or resolver.static(name, site.frame)
    known = [(d, value) for d in starts if isinstance(value := literal(d.value) if d.value else None, int)]
    if not known:
        return None
    definition, value = known[-1]
    anew = restarts(definition, plain, site, body)
    return Count(int(value or 0) + (1 if increment.index < site.index else 0), (name,), anew)


def restarts(start: Definition, plain: Sequence[Definition], site: Site, body: Body) -> bool:
    """Whether a counter that was given its first value at `start` gets one anew with each pass over the data."""
    around = _loops_around(site, body.loop)
    if start.index >= 0 and all(any(g is each for each in start.path) for g in around):
        return True
    opened = body.loop.index if body.loop is not None else 0
    return bool(around) and any(d.index > opened and d.path and _beside(d, around, body.loop) for d in plain)


def _beside(definition: Definition, around: list[Guard], loop: Guard | None) -> bool:
    """The counter is set back in a loop around the micro loop, outside of it."""
    return any(g is around[-1] for g in definition.path) and not any(g is loop for g in definition.path)


def _loops_around(site: Site, loop: Guard | None) -> list[Guard]:
    if loop is None:
        return []
    outer = []
    for guard in site.path:
        if guard is loop:
            break
        if guard.kind == "loop":
            outer.append(guard)
    return outer
