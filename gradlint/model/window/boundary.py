"""Reading conditions: is this test a window boundary, of which N, and at which micro-batch does it first hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import libcst as cst

from gradlint.model.data.window import Boundary, Engine, Phase, Steps
from gradlint.model.names.lookup import same_steps
from gradlint.model.names.records import Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import dotted, last_name, literal, walk
from gradlint.model.window.counting import Body, Count, count_of, counts_otherwise
from gradlint.model.window.flush import fires_on_short, flatten, irrelevant, never_fires
from gradlint.model.window.rounds import counted_down, cycled
from gradlint.model.window.starts import skips_start

MAX_HOPS = 6
_MIRRORED: dict[type[cst.BaseCompOp], type[cst.BaseCompOp]] = {
    cst.Equal: cst.Equal,
    cst.NotEqual: cst.NotEqual,
    cst.LessThanEqual: cst.GreaterThanEqual,
    cst.GreaterThan: cst.LessThan,
}
"""What a comparison becomes when its sides change places."""


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads tests as they stand in one micro loop (None: a loopless micro-batch body)."""

    resolver: Resolver
    body: Body

    def read(self, test: cst.BaseExpression, site: Site, guard: cst.CSTNode, hops: int = 0) -> Boundary | None:
        """The boundary that a test is; `holds` is False where the test is true inside the window instead."""
        if hops > MAX_HOPS:
            return None
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            inner = self.read(test.expression, site, guard, hops + 1)
            if inner is None:
                return None
            # What a flag was given stays the test that a fix rewrites; `not` around the test itself belongs to it.
            own = inner.test is test.expression
            test, negative = (test, not inner.negative) if own else (inner.test, inner.negative)
            return replace(inner, holds=not inner.holds, test=test, negative=negative)
        if isinstance(test, cst.BooleanOperation):
            return self.compound(test, site, guard, hops)
        if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
            return self.comparison(test, site, guard)
        if isinstance(test, cst.BinaryOperation) and isinstance(test.operator, cst.Modulo):
            found = self.modulus(test, cst.Integer("0"), site, guard, test)
            return replace(found, holds=False, negative=True) if found else None
        if isinstance(test, cst.IfExp):
            answers = (literal(test.body), literal(test.orelse))
            inner = self.read(test.test, site, guard, hops + 1) if set(answers) == {True, False} else None
            return replace(inner, holds=inner.holds == answers[0]) if inner else None
        if isinstance(test, cst.Call) and last_name(test.func) == "bool" and test.args:
            return self.read(test.args[0].value, site, guard, hops + 1)
        if isinstance(test, (cst.Name, cst.Attribute)):
            return self.flag(test, site, guard, hops)
        if isinstance(test, cst.Call):
            return self.answer(test, site, guard, hops)
        return None

    def answer(self, test: cst.Call, site: Site, guard: cst.CSTNode, hops: int) -> Boundary | None:
        """What a function of the same file says, whose one answer is a test."""
        run = self.resolver.trace.activations.get((id(test), site.frame.number))
        given = self.resolver.trace.returns.get(run.number, []) if run is not None else []
        value = given[0].value if len(given) == 1 else None
        return self.read(value, site_of(given[0]), guard, hops + 1) if value is not None else None

    # A comparison

    def comparison(self, test: cst.Comparison, site: Site, guard: cst.CSTNode) -> Boundary | None:
        left, target = test.left, test.comparisons[0]
        right, operator = target.comparator, target.operator
        if _modulo(right) is not None and _modulo(left) is None:
            left, right = right, left
        modulo = _modulo(left)
        if modulo is not None:
            positive = isinstance(operator, cst.GreaterThan) and literal(right) == 0
            positive = positive or (isinstance(operator, cst.GreaterThanEqual) and literal(right) == 1)
            if isinstance(operator, (cst.Equal, cst.GreaterThanEqual, cst.Is)) and not positive:
                return self.modulus(modulo, right, site, guard, test)
            if isinstance(operator, cst.NotEqual):
                found = self.modulus(modulo, right, site, guard, test)
                return replace(found, holds=False, negative=True) if found else None
            if positive:
                found = self.modulus(modulo, cst.Integer("0"), site, guard, test)
                return replace(found, holds=False, negative=True) if found else None
            if isinstance(operator, cst.LessThan) and literal(right) == 1:
                return self.modulus(modulo, cst.Integer("0"), site, guard, test)
            return None
        mirrored = _MIRRORED.get(type(operator))
        if (
            mirrored is not None
            and not self.reset_inside(dotted(left) or "", site)
            and self.reset_inside(dotted(right) or "", site)
        ):
            left, right, operator = right, left, mirrored()
        if isinstance(operator, (cst.Equal, cst.GreaterThanEqual, cst.NotEqual, cst.LessThan)):
            found = self.count_reached(left, right, site, guard, test)
            found = found or self.drawn(left, right, site, guard, test)
            if found is not None and isinstance(operator, (cst.NotEqual, cst.LessThan)):
                return replace(found, holds=False, negative=True)
            if found is not None:
                return found
        return counted_down(test, guard, site, self.resolver, self.body)

    def drawn(
        self, left: cst.BaseExpression, right: cst.BaseExpression, site: Site, guard: cst.CSTNode, test: cst.BaseExpression
    ) -> Boundary | None:
        """`j == N - 1` with a `j` that is drawn from `cycle(range(N))` along with the data."""
        found = cycled(left, site, self.resolver, self.body)
        if found is None:
            return None
        steps, first, name = found
        wanted = self.remainder(right, steps, site)
        place = (wanted[0], wanted[1] - first) if wanted else (0, 0)
        if wanted is None or not ((place[0] == 0 and place[1] >= 0) or (place[0] == 1 and place[1] < 0)):
            return None  # unlike a remainder, it is compared with what it may never be
        phase, _ = _phase(Count(first), wanted, steps.value)
        return Boundary(test, guard, steps, phase, counter=name, restarts=True, frame=site.frame)

    def modulus(
        self,
        modulo: cst.BinaryOperation,
        rest: cst.BaseExpression,
        site: Site,
        guard: cst.CSTNode,
        test: cst.BaseExpression,
    ) -> Boundary | None:
        """`index % N == rest`."""
        if isinstance(modulo.left, cst.SimpleString) or _modulo(modulo.left) is not None:
            return None
        if any(isinstance(n, cst.BinaryOperation) and isinstance(n.operator, cst.FloorDivide) for n in walk(modulo.left)):
            return None
        steps = self.resolver.steps(modulo.right, site)
        count = count_of(modulo.left, site, self.resolver, self.body)
        if count is not None and not count.counters:
            count = None
        if count is None and counts_otherwise(modulo.left, site, self.resolver, self.body):
            steps = replace(steps, value=None, micro_batches=False)
        wanted = self.remainder(rest, steps, site)
        phase, offset = _phase(count, wanted, steps.value)
        return Boundary(
            test,
            guard,
            steps,
            phase,
            modulus=modulo,
            index=modulo.left,
            offset=offset,
            counter=count.counters[0] if count and count.counters else _only_name(modulo.left),
            restarts=count.restarts if count else None,
            counts_from=count.start if count else None,
            frame=site.frame,
        )

    def remainder(self, rest: cst.BaseExpression, steps: Steps, site: Site) -> tuple[int, int] | None:
        """`rest` as (a, b) meaning a * N + b; None where it is neither."""
        number = self.resolver.number(rest, site)
        if number is not None and float(number).is_integer():
            return (0, int(number))
        if same_steps(self.resolver.aliases(rest, site), steps.names, self.resolver.words):
            return (1, 0)
        if isinstance(rest, cst.BinaryOperation) and isinstance(rest.operator, (cst.Add, cst.Subtract)):
            left, right = (self.remainder(side, steps, site) for side in (rest.left, rest.right))
            if left and right:
                sign = 1 if isinstance(rest.operator, cst.Add) else -1
                return (left[0] + sign * right[0], left[1] + sign * right[1])
        return None

    def count_reached(
        self, left: cst.BaseExpression, right: cst.BaseExpression, site: Site, guard: cst.CSTNode, test: cst.BaseExpression
    ) -> Boundary | None:
        """`count == N` with a counter that is set back, and `index - last_update >= N`."""
        if isinstance(left, cst.BinaryOperation) and isinstance(left.operator, cst.Subtract):
            mark = dotted(left.right)
            if mark and any(d.how == "assign" and d.index > site.index for d in self.resolver.all_of(mark, site.frame)):
                steps = self.resolver.steps(right, site)
                return Boundary(test, guard, steps, Phase.UNKNOWN, counter=_only_name(left.left), restarts=None)
        name = dotted(left)
        if name is None:
            return None
        count = count_of(left, site, self.resolver, self.body)
        if count is None or not self.reset_inside(name, site):
            return None
        steps = self.resolver.steps(right, site)
        wanted = self.remainder(right, steps, site) if steps.value is None else (1, 0)
        phase, offset = _phase(count, wanted and (wanted[0] - 1, wanted[1]), steps.value)
        return Boundary(
            test, guard, steps, phase, index=left, offset=offset, counter=name, restarts=count.restarts, frame=site.frame
        )

    def reset_inside(self, name: str, site: Site) -> bool:
        """The counter is set back to a literal inside the loop: a hand-kept window counter."""
        for definition in self.resolver.all_of(name, site.frame):
            if self.body.holds(definition.path) and definition.how == "assign" and definition.value is not None:
                if isinstance(literal(definition.value), int):
                    return True
        return False

    # Several conditions, and flags

    def compound(self, test: cst.BooleanOperation, site: Site, guard: cst.CSTNode, hops: int) -> Boundary | None:
        parts = list(flatten(test, type(test.operator)))
        read = [(part, self.read(part, site, guard, hops + 1)) for part in parts]
        found = next((b for _, b in read if b is not None and (b.modulus is not None or b.engine is not Engine.NONE)), None)
        found = found or next((b for _, b in read if b is not None), None)
        if found is None:
            return None
        others = [part for part, b in read if b is not found]
        if isinstance(test.operator, cst.And):
            for part in others:
                if skips_start(part, found):
                    return replace(found, test=test, skips_first=part)
            if not found.holds:
                live = [part for part in others if not irrelevant(part)]
                return replace(found, test=test, flush=bool(live))
            return replace(found, test=test)
        if not found.holds:
            return replace(found, test=test)
        live = [part for part in others if not irrelevant(part)]
        dead = [part for part in live if never_fires(part, site, self.resolver, self.body)]
        failing = bool(dead) and len(live) == len(dead)
        short = failing and any(fires_on_short(part, site, self.resolver, self.body) for part in dead)
        return replace(found, test=test, flush=len(live) > len(dead), dead_flush=failing, short_flush=short)

    def flag(self, test: cst.Name | cst.Attribute, site: Site, guard: cst.CSTNode, hops: int) -> Boundary | None:
        """A name that was given the boundary earlier, or that an engine keeps."""
        name = dotted(test)
        if last_name(test) == "sync_gradients":
            return Boundary(test, guard, Steps(None), Phase.LAST, engine=Engine.ACCELERATE, flush=True)
        if last_name(test) in self.resolver.words.boundaries:
            return Boundary(test, guard, Steps(None), Phase.LAST, flush=True)
        if last_name(test) in ("is_gradient_accumulation_boundary",) or name is None:
            return None
        found, _ = self.resolver.reaching(name, site)
        found = [d for d in found if d.how in ("assign", "param") and d.value is not None]
        for definition in found:
            assert definition.value is not None
            holder = definition.statement or definition.node
            if literal(definition.value) is True and definition.path:
                test_guard = next((g for g in reversed(definition.path) if g.kind == "branch" and g.test is not None), None)
                if test_guard is not None and test_guard.test is not None and len(found) > 1:
                    inner = self.read(test_guard.test, site_of(definition), test_guard.node, hops + 1)
                    if inner is not None and test_guard.arm == 0:
                        return inner
                continue
            where = holder if definition.how == "assign" else guard
            boundary = self.read(definition.value, site_of(definition), where, hops + 1)
            if boundary is not None:
                return boundary
        return None

    def named_flag(self, test: cst.BaseExpression) -> bool:
        """True for a test that is nothing but a flag spelled like a boundary."""
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            test = test.expression
        return isinstance(test, (cst.Name, cst.Attribute)) and self.resolver.words.spells_boundary(last_name(test) or "")


def _phase(count: Count | None, wanted: tuple[int, int] | None, n: int | None) -> tuple[Phase, int]:
    """When `start + k` first leaves the wanted remainder, and what must be added to the index to make that k = N - 1."""
    if count is None or wanted is None:
        return Phase.UNKNOWN, 0
    first = wanted[1] - count.start
    if n is not None and n > 0:
        k = (wanted[0] * n + first) % n
        if k == n - 1:
            return Phase.LAST, 0
        return (Phase.FIRST if k == 0 else Phase.SHIFTED), first + 1
    if first == -1:
        return Phase.LAST, 0
    return (Phase.FIRST if first == 0 else Phase.SHIFTED), first + 1


def _modulo(node: cst.BaseExpression) -> cst.BinaryOperation | None:
    return node if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Modulo) else None


def _only_name(node: cst.BaseExpression) -> str | None:
    names = {dotted(each) for each in walk(node) if isinstance(each, (cst.Name, cst.Attribute))}
    whole = dotted(node)
    return whole or (names.pop() if len(names) == 1 else None)
