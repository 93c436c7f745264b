"""Counters that go round by themselves: down from N to zero, or through a cycle of N, once per window."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from gradlint.model.data.window import Boundary, Phase, Steps
from gradlint.model.names.records import Definition, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import WRAPS_ITERABLE
from gradlint.model.syntax.expressions import argument, dotted, last_name, literal, walk
from gradlint.model.window.counting import Body, is_ungated, restarts


def counted_down(test: cst.Comparison, guard: cst.CSTNode, site: Site, resolver: Resolver, body: Body) -> Boundary | None:
    """`left == 0` with a `left` that loses one in each micro-batch before the test, and is N again where the test holds.

    Zero is then reached once in N micro-batches, at first on the last of a window if the counter begins with N as well.
    """
    name, holds = _asks_for_zero(test)
    if name is None:
        return None
    definitions = resolver.all_of(name, site.frame)
    inside = [d for d in definitions if body.holds(d.path)]
    losses = [d for d in inside if _takes_one(d, name)]
    resets = [d for d in inside if d.how == "assign" and not _takes_one(d, name)]
    if len(losses) != 1 or losses[0].index > site.index or not is_ungated(losses[0], site, body):
        return None
    if not resets or any(not _under_test_of(name, d, resolver, body) for d in resets):
        return None
    given = {steps.source: steps for steps in (resolver.steps(d.value, site_of(d)) for d in resets if d.value is not None)}
    if len(given) != 1:
        return None
    steps = next(iter(given.values()))
    opened = body.loop.index if body.loop is not None else losses[0].index
    starts = [d for d in definitions if d.how == "assign" and d.index < opened and d not in resets]
    starts = starts or resolver.static(name, site.frame)
    phase = Phase.LAST if starts and _begins_with(steps, starts[-1], resolver) else Phase.UNKNOWN
    anew = restarts(starts[-1], inside + definitions, site, body) if starts else None
    return Boundary(test, guard, steps, phase, holds=holds, negative=not holds, counter=name, restarts=anew, frame=site.frame)


def _asks_for_zero(test: cst.Comparison) -> tuple[str | None, bool]:
    """The name that a test compares with zero, and whether the test is true there."""
    target = test.comparisons[0]
    left, right, operator = test.left, target.comparator, target.operator
    if literal(left) == 0 and isinstance(operator, (cst.Equal, cst.NotEqual, cst.LessThan, cst.GreaterThanEqual)):
        mirrored = {cst.LessThan: cst.GreaterThan, cst.GreaterThanEqual: cst.LessThanEqual}
        left, right, operator = right, left, mirrored.get(type(operator), type(operator))()
    if literal(right) == 0 and isinstance(operator, (cst.Equal, cst.LessThanEqual)):
        return dotted(left), True
    if literal(right) == 1 and isinstance(operator, cst.LessThan):
        return dotted(left), True
    if literal(right) == 0 and isinstance(operator, (cst.NotEqual, cst.GreaterThan)):
        return dotted(left), False
    return None, True


def _takes_one(definition: Definition, name: str) -> bool:
    node, value = definition.node, definition.value
    if isinstance(node, cst.AugAssign):
        return isinstance(node.operator, cst.SubtractAssign) and literal(node.value) == 1
    if definition.how != "assign" or not isinstance(value, cst.BinaryOperation):
        return False
    return isinstance(value.operator, cst.Subtract) and dotted(value.left) == name and literal(value.right) == 1


def _under_test_of(name: str, reset: Definition, resolver: Resolver, body: Body) -> bool:
    """The counter is set back where a test of itself says so, or a flag that holds the answer."""
    place = next((i for i, guard in enumerate(reset.path) if guard is body.loop), -1)
    for guard in reset.path[place + 1 :]:
        if guard.kind == "branch" and guard.test is not None:
            followed = (each for each, _ in resolver.follow(guard.test, site_of(reset)))
            if any(dotted(node) == name for each in followed for node in walk(each)):
                return True
    return False


def _begins_with(steps: Steps, start: Definition, resolver: Resolver) -> bool:
    first = resolver.steps(start.value, site_of(start)) if start.value is not None else None
    if first is None:
        return False
    return bool(first.names & steps.names) or (first.value is not None and first.value == steps.value)


def cycled(index: cst.BaseExpression, site: Site, resolver: Resolver, body: Body) -> tuple[Steps, int, str] | None:
    """N, the first value and the name of an index that the micro loop draws from `cycle(range(N))` along with its data.

    The cycle is made in the head of the loop, and begins anew with each pass.
    """
    name, shift = _shifted(index)
    guard = body.loop
    if name is None or guard is None or not isinstance(guard.node, cst.For):
        return None
    own = [d for d in resolver.all_of(name, site.frame) if any(each is guard for each in d.path)]
    if [d.how for d in own] != ["loop"] or own[0].path[-1] is not guard:
        return None
    drawn = _drawn(guard.node.iter, _places(guard.node.target, name))
    if not isinstance(drawn, cst.Call) or last_name(drawn.func) != "cycle" or len(drawn.args) != 1:
        return None
    values = drawn.args[0].value
    if not isinstance(values, cst.Call) or last_name(values.func) != "range":
        return None
    plain = [arg.value for arg in values.args if arg.keyword is None and not arg.star]
    if len(plain) != len(values.args) or not plain:
        return None
    where = site_of(own[0])
    if len(plain) == 1:
        return resolver.steps(plain[0], where), shift, name
    end = plain[1]
    one_based = literal(plain[0]) == 1 and isinstance(end, cst.BinaryOperation) and isinstance(end.operator, cst.Add)
    if len(plain) == 2 and one_based and isinstance(end, cst.BinaryOperation) and literal(end.right) == 1:
        return resolver.steps(end.left, where), 1 + shift, name
    return None


def _shifted(index: cst.BaseExpression) -> tuple[str | None, int]:
    """The name in `j` and `j + 1`, and what is added to it."""
    if isinstance(index, cst.BinaryOperation) and isinstance(index.operator, (cst.Add, cst.Subtract)):
        added = literal(index.right)
        if isinstance(added, int):
            return dotted(index.left), added if isinstance(index.operator, cst.Add) else -added
    return dotted(index), 0


def _places(target: cst.CSTNode, name: str) -> Sequence[int] | None:
    """Where a name stands in nested targets: (1, 0) for `b` of `a, (b, c)`; None where it does not."""
    if dotted(target) == name:
        return ()
    elements = target.elements if isinstance(target, (cst.Tuple, cst.List)) else ()
    for place, element in enumerate(elements):
        inner = _places(element.value, name)
        if inner is not None:
            return (place, *inner)
    return None


def _drawn(node: cst.BaseExpression, places: Sequence[int] | None) -> cst.BaseExpression | None:
    """What the part of a target at these places is drawn from, through `enumerate`, `zip` and progress bars."""
    while places is not None and isinstance(node, cst.Call):
        kind = last_name(node.func)
        inner = argument(node, 0, "iterable", "sequence")
        if kind in WRAPS_ITERABLE and kind != "trange" and inner is not None:
            node = inner
        elif not places:
            return node
        elif kind == "enumerate" and places[0] == 1 and inner is not None:
            node, places = inner, places[1:]
        elif kind == "zip" and places[0] < len(node.args) and not any(arg.star for arg in node.args):
            node, places = node.args[places[0]].value, places[1:]
        else:
            return None
    return None
