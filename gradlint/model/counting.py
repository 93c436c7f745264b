"""Counters: what an index is worth at the first micro-batch, and whether it starts anew with each pass."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from gradlint.model.resolve import Resolver, Site, site_of
from gradlint.model.syntax import argument, dotted, last_name, literal
from gradlint.model.trace import Definition
from gradlint.model.types import Guard
from gradlint.model.vocabulary import WRAPS_ITERABLE


@dataclass(frozen=True)
class Count:
    """The value of an index at micro-batch k is `start + k`; `restarts` with each pass over the data, or not."""

    start: int
    counters: tuple[str, ...] = ()
    restarts: bool | None = None


def count_of(node: cst.BaseExpression, site: Site, resolver: Resolver, loop: Guard | None) -> Count | None:
    """What an index expression is worth at k = 0; None where that cannot be told."""
    value = literal(node)
    if isinstance(value, int) and not isinstance(value, bool):
        return Count(value)
    if isinstance(node, cst.BinaryOperation):
        return _combined(node, site, resolver, loop)
    name = dotted(node)
    return _counter(name, node, site, resolver, loop) if name else None


def _combined(node: cst.BinaryOperation, site: Site, resolver: Resolver, loop: Guard | None) -> Count | None:
    left, right = (count_of(side, site, resolver, loop) for side in (node.left, node.right))
    if isinstance(node.operator, cst.Multiply):
        for side, other in ((left, node.right), (right, node.left)):
            if side is not None and side.start == 0 and not side.counters and literal(other) != 0:
                return Count(0)
        for side in (node.left, node.right):
            if _outer_loop_start(side, site, resolver, loop) == 0:
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


def _outer_loop_start(node: cst.BaseExpression, site: Site, resolver: Resolver, loop: Guard | None) -> int | None:
    """The first value of a loop variable of a loop around the micro loop (an epoch)."""
    name = dotted(node)
    for definition in resolver.all_of(name, site.frame) if name else ():
        if definition.how == "loop" and (not definition.path or definition.path[-1] is not loop):
            return iteration_start(definition, resolver)
    return None


def iteration_start(definition: Definition, resolver: Resolver) -> int | None:
    """The first value of a loop target: of `enumerate`, of `range`; None for anything else."""
    if definition.value is None:
        return None
    for node, site in resolver.follow(definition.value, site_of(definition)):
        call = _unwrapped(node)
        if not isinstance(call, cst.Call):
            continue
        kind = last_name(call.func)
        if kind == "enumerate" and definition.position == 0:
            start = argument(call, 1, "start")
            return 0 if start is None else _int(start, site, resolver)
        if kind in ("range", "trange") and definition.position is None:
            plain = [arg for arg in call.args if arg.keyword is None]
            if kind == "trange" or len(plain) < 2:
                return 0
            step = plain[2].value if len(plain) > 2 else None
            if step is not None and literal(step) != 1:
                return None
            return _int(plain[0].value, site, resolver)
        if kind == "count" and definition.position is None:
            start = argument(call, 0, "start")
            return 0 if start is None else _int(start, site, resolver)
        return None
    return None


def _unwrapped(node: cst.BaseExpression) -> cst.BaseExpression:
    while isinstance(node, cst.Call) and last_name(node.func) in WRAPS_ITERABLE and node.args:
        if last_name(node.func) == "trange":
            return node
        inner = argument(node, 0, "iterable", "sequence")
        if inner is None:
            return node
        node = inner
    return node


def _int(node: cst.BaseExpression, site: Site, resolver: Resolver) -> int | None:
    value = resolver.number(node, site)
    return int(value) if value is not None and float(value).is_integer() else None


def _counter(
    name: str, node: cst.BaseExpression, site: Site, resolver: Resolver, loop: Guard | None
) -> Count | None:
    definitions = resolver.all_of(name, site.frame)
    before = [d for d in definitions if d.index < site.index]
    target = next((d for d in reversed(before) if d.how == "loop"), None)
    increments = [d for d in definitions if _adds_one(d, name)]
    if target is not None and not increments:
        if loop is None or not any(each is loop for each in target.path):
            return None
        if target.path[-1] is not loop:
            return None
        start = iteration_start(target, resolver)
        return Count(start, (name,), True) if start is not None else None
    inside = [d for d in increments if loop is None or any(each is loop for each in d.path)]
    if len(inside) == 1 and _ungated(inside[0], site, loop):
        return _hand_kept(name, inside[0], before, site, resolver, loop)
    if increments:
        return None
    alias = resolver.sole(node, site)
    if alias is not None and alias.value is not None and alias.how in ("assign", "param"):
        if literal(alias.value) is not None and isinstance(literal(alias.value), int):
            return Count(int(str(literal(alias.value)))) if alias.how == "assign" else None
        return count_of(alias.value, site_of(alias), resolver, loop)
    return None


def _adds_one(definition: Definition, name: str) -> bool:
    node = definition.node
    if isinstance(node, cst.AugAssign):
        return isinstance(node.operator, cst.AddAssign) and literal(node.value) == 1
    value = definition.value
    if definition.how == "assign" and isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Add):
        sides = (value.left, value.right)
        return any(dotted(a) == name and literal(b) == 1 for a, b in (sides, sides[::-1]))
    return False


def _ungated(increment: Definition, site: Site, loop: Guard | None) -> bool:
    """The counter counts micro-batches: its increment lies under no condition that the test does not lie under."""
    depth = next((i for i, g in enumerate(increment.path) if g is loop), -1)
    arms = {(g.group, g.arm) for g in site.path}
    return all(
        g.kind not in ("branch", "handler", "loop") or (g.group, g.arm) in arms or g.implied
        for g in increment.path[depth + 1 :]
    )


def _hand_kept(
    name: str, increment: Definition, before: list[Definition], site: Site, resolver: Resolver, loop: Guard | None
) -> Count | None:
    opened = loop.index if loop is not None else increment.index
    starts = [d for d in before if d.how == "assign" and d.index < opened and not _adds_one(d, name)]
    starts += resolver.static(name, site.frame) if not starts else []
    values = [(d, literal(d.value)) for d in starts if d.value is not None]
    known = [(d, v) for d, v in values if isinstance(v, int) and not isinstance(v, bool)]
    if not known:
        return None
    definition, value = known[-1]
    assert isinstance(value, int)
    around = _loops_around(site, loop)
    restarts = all(any(g is each for each in definition.path) for g in around) if definition.index >= 0 else False
    return Count(value + (1 if increment.index < site.index else 0), (name,), restarts)


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
