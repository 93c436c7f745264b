"""The loss scale: a backward slice from the value that is backpropagated, with the answers divided, not divided, unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import libcst as cst

from gradlint.model.data.losses import FRESH, UNKNOWN, Division, LossScale, Scale, added, doubted, joined, summed
from gradlint.model.data.window import Steps
from gradlint.model.loss.factors import LOSS, Factors, counts_samples
from gradlint.model.loss.mixes import unmixed
from gradlint.model.loss.opaque import opaque
from gradlint.model.names.in_place import appended, operator_of, target_of
from gradlint.model.names.records import Definition, Frame, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import ACROSS_PROCESSES, COMBINES, PASS_THROUGH
from gradlint.model.syntax.expressions import NOT_LITERAL, dotted, last_name, literal, method_call, root_name, text, uncast
from gradlint.model.syntax.paths import Path
from gradlint.model.window.multiplicity import tests_steps

MAX_DEPTH = 24
_NAMESPACES = ("torch", "F", "nn", "self", "np")


@dataclass(frozen=True, eq=False)
class Slicer:
    """Judges values against one N (`steps` is None where the loop shows none)."""

    resolver: Resolver
    steps: Steps | None

    @cached_property
    def factors(self) -> Factors:
        return Factors(self.resolver, self.steps)

    def scale(self, node: cst.BaseExpression, site: Site, depth: int = 0) -> LossScale:
        """What a value was divided by on its way here."""
        if depth > MAX_DEPTH:
            return UNKNOWN
        if isinstance(node, cst.BinaryOperation):
            return self.operation(node, site, depth + 1)
        if isinstance(node, cst.UnaryOperation):
            return self.scale(node.expression, site, depth + 1)
        if isinstance(node, cst.Call):
            return self.call(node, site, depth + 1)
        if isinstance(node, cst.IfExp):
            arms = [self.scale(part, site, depth + 1) for part in (node.body, node.orelse)]
            if self.factors.mentions_steps(node.test, site):
                return next((arm for arm in arms if arm.scale is Scale.DIVIDED), joined(arms))
            return joined(arms)
        if isinstance(node, (cst.Name, cst.Attribute, cst.Subscript)):
            return self.name(node, site, depth + 1)
        if isinstance(node, cst.NamedExpr):
            return self.scale(node.value, site, depth + 1)
        if isinstance(node, (cst.List, cst.Tuple, cst.Set)):
            return self.terms([e.value for e in node.elements], site, depth)
        if isinstance(node, (cst.GeneratorExp, cst.ListComp)):
            return self.scale(node.elt, site, depth + 1)
        if isinstance(node, cst.DictComp):
            return self.scale(node.value, site, depth + 1)
        if literal(node) is not NOT_LITERAL:
            return LossScale(Scale.UNDIVIDED, why="literal")
        return UNKNOWN

    # Operations

    def operation(self, node: cst.BinaryOperation, site: Site, depth: int) -> LossScale:
        if isinstance(node.operator, (cst.Add, cst.Subtract)):
            return self.terms(unmixed(node), site, depth)
        if isinstance(node.operator, cst.Divide):
            return self.divided(self.scale(node.left, site, depth), node, node.left, node.right, site, None)
        if isinstance(node.operator, cst.FloorDivide):
            return UNKNOWN
        if isinstance(node.operator, cst.Multiply):
            return self.product(node, site, depth)
        return UNKNOWN if self.factors.mentions_steps(node, site) else FRESH

    def product(self, node: cst.BinaryOperation, site: Site, depth: int) -> LossScale:
        for value, factor in ((node.left, node.right), (node.right, node.left)):
            if self.factors.is_reciprocal(factor, site):
                return self.divided(self.scale(value, site, depth), node, value, factor, site, None, inverse=True)
        if self.factors.is_steps(node.left, site) or self.factors.is_steps(node.right, site):
            return UNKNOWN
        if counts_samples(node.left) or counts_samples(node.right):
            return LossScale(Scale.UNKNOWN, why="sum")
        for value, factor in ((node.left, node.right), (node.right, node.left)):
            count = self.factors.inverse_count(factor, site)
            if count is not None:
                inner = self.scale(value, site, depth)
                names = self.resolver.aliases(factor, site)
                division = Division(node, factor, value, names, count, None, None, site.path, site.index, inverse=True)
                return LossScale(Scale.UNKNOWN, (*inner.divisions, division), inner.doubled)
        sides = [self.scale(side, site, depth) for side in (node.left, node.right)]
        for side, other in ((0, node.right), (1, node.left)):
            if sides[side].divisions and not sides[1 - side].divisions:
                whole = sides[side]
                if self.factors.is_weight(other, site):
                    return whole
                divisions = tuple(replace(each, of_factor=True) for each in whole.divisions)
                return replace(whole, scale=doubted(whole.scale), divisions=divisions)
        if any(side.divisions for side in sides):
            return UNKNOWN
        doubtful = [s for s, part in zip(sides, (node.left, node.right), strict=True) if not self.factors.is_weight(part, site)]
        if len(doubtful) == 2 and not any(LOSS.search(text(p)) for p in (node.left, node.right)):
            return LossScale(Scale.UNKNOWN, why="a product of two values")
        return FRESH if all(s.scale is Scale.UNDIVIDED for s in doubtful) else UNKNOWN

    def terms(self, parts: Iterable[cst.BaseExpression], site: Site, depth: int) -> LossScale:
        """A sum: every term must be divided."""
        return summed([(part, self.scale(part, site, depth + 1)) for part in parts])

    def divided(
        self,
        inner: LossScale,
        node: cst.CSTNode,
        dividend: cst.BaseExpression,
        divisor: cst.BaseExpression,
        site: Site,
        definition: Definition | None,
        *,
        inverse: bool = False,
    ) -> LossScale:
        by_steps = inverse or self.factors.is_steps(divisor, site)
        value = self.resolver.number(divisor, site)
        division = Division(
            node,
            divisor,
            dividend,
            self.resolver.aliases(divisor, site) | {text(divisor)},
            value,
            definition.statement if definition is not None else None,
            definition.key if definition is not None else None,
            site.path,
            site.index,
            by_steps,
            inverse,
        )
        divisions = (*inner.divisions, division)
        if by_steps:
            scale = Scale.DIVIDED
            if inner.scale is Scale.UNKNOWN and inner.why == "sum":
                scale = Scale.UNKNOWN
            again = (division,) if inner.scale is Scale.DIVIDED else ()
            return LossScale(scale, divisions, (*inner.doubled, *again))
        if inner.scale is Scale.UNDIVIDED and self.factors.counts_own_batch(divisor, site):
            return replace(inner, divisions=divisions)
        if (
            value is not None
            and value in (1, 2)
            and inner.scale is Scale.UNDIVIDED
            and self.steps
            and self.steps.value not in (None, value)
        ):
            return LossScale(inner.scale, divisions)
        return LossScale(inner.scale if inner.scale is Scale.DIVIDED else Scale.UNKNOWN, divisions, inner.doubled)

    # Calls

    def call(self, node: cst.Call, site: Site, depth: int) -> LossScale:
        called = method_call(node)
        name = last_name(node.func) or ""
        if uncast(node) is not node:
            return self.scale(uncast(node), site, depth)
        if called is not None and name in ("div", "div_", "true_divide", "divide") and node.args:
            receiver = called[0]
            if dotted(receiver) == "torch" and len(node.args) > 1:
                receiver, divisor = node.args[0].value, node.args[1].value
            else:
                divisor = node.args[0].value
            return self.divided(self.scale(receiver, site, depth), node, receiver, divisor, site, None)
        if called is not None and name in ("mul", "mul_", "multiply") and node.args:
            if self.factors.is_reciprocal(node.args[0].value, site):
                inner = self.scale(called[0], site, depth)
                return self.divided(inner, node, called[0], node.args[0].value, site, None, inverse=True)
            return self.scale(called[0], site, depth) if self.factors.is_weight(node.args[0].value, site) else UNKNOWN
        if called is not None and name in ("add", "add_") and node.args and dotted(called[0]) != "torch":
            return self.terms([called[0], node.args[0].value], site, depth)
        if name in ("scale", "scale_loss") and node.args:
            given = [arg.value for arg in node.args]
            return self.scale(next((each for each in given if LOSS.search(text(each))), given[0]), site, depth)
        frame = self.resolver.trace.activations.get((id(node), site.frame.number))
        if frame is not None:
            return self.from_helper(node, site, self.returned(frame.number, depth), frame)
        if name in COMBINES and node.args and (called is None or dotted(called[0]) in ("torch", "np", "F")):
            return self.scale(node.args[0].value, site, depth)
        if ACROSS_PROCESSES.search(name) and node.args and not self.factors.mentions_steps(node, site):
            return self.scale(node.args[0].value, site, depth)
        if called is not None and name == "values" and not node.args:
            return self.scale(called[0], site, depth)
        if called is not None and name in PASS_THROUGH and dotted(called[0]) not in _NAMESPACES:
            return self.scale(called[0], site, depth)
        return opaque(node, site, self.factors)

    def from_helper(self, node: cst.Call, site: Site, result: LossScale, frame: Frame) -> LossScale:
        """A helper that divides by something of its own (a dice loss, a token count) makes a fresh loss."""
        if result.scale is not Scale.UNKNOWN or result.why == "sum" or any(d.by_steps for d in result.divisions):
            return result
        params = {param.name.value for param in frame.function.params} if frame.function else set()
        if any(root_name(d.divisor) in params and dotted(d.divisor) for d in result.divisions):
            return result
        return opaque(node, site, self.factors) if result.divisions else result

    def returned(self, frame: int, depth: int, position: int | None = None) -> LossScale:
        """What an inlined helper returns, over all its returns."""
        results = []
        for definition in self.resolver.trace.returns.get(frame, ()):
            value = definition.value
            if isinstance(value, cst.Tuple) and position is not None:
                if position < len(value.elements):
                    results.append(self.scale(value.elements[position].value, site_of(definition), depth + 1))
            elif value is not None and literal(value) is not None:
                result = self.scale(value, site_of(definition), depth + 1)
                if result.scale is Scale.DIVIDED and self.under_test_of_steps(definition, ()):
                    return result
                results.append(result)
        return joined(results) if results else UNKNOWN

    # Names

    def name(self, node: cst.BaseExpression, site: Site, depth: int) -> LossScale:
        key = dotted(node)
        if key is None:
            return self.inside(node, site, depth)
        found, complete = self.resolver.reaching(key, site)
        if not found:
            return self.inside(node, site, depth)
        if self.resolver.all_of(f"{key}[*]", site.frame):
            return UNKNOWN  # its elements were given other values
        results: list[LossScale] = []
        for definition in found:
            result = self.definition(definition, depth)
            if result.why == "literal" and len(found) > 1:
                continue
            if result.scale is Scale.DIVIDED and self.under_test_of_steps(definition, site.path):
                return result
            results.append(result)
        if not complete and found and all(d.how != "augment" for d in found) and not results:
            return UNKNOWN
        return joined(results) if results else FRESH

    def under_test_of_steps(self, definition: Definition, path: Path) -> bool:
        """Under `if N > 1:` alone, where the other arm has nothing to divide."""
        known = {guard.group for guard in path}
        own = [guard for guard in definition.path if guard.kind == "branch" and guard.group not in known]
        return any(tests_steps(guard, self.steps or Steps(None), self.resolver.words) for guard in own)

    def definition(self, definition: Definition, depth: int) -> LossScale:
        site, value = site_of(definition), definition.value
        if value is None:
            return UNKNOWN
        if definition.how == "augment":
            return self.augmented(definition, value, depth)
        if definition.how == "loop":
            if isinstance(value, (cst.Name, cst.Attribute, cst.List, cst.Tuple)):
                return self.scale(value, site, depth)
            return UNKNOWN
        if definition.how == "unpack":
            if isinstance(value, cst.Call):
                frame = self.resolver.trace.activations.get((id(value), site.frame.number))
                if frame is not None:
                    result = self.returned(frame.number, depth, definition.position)
                    return self.from_helper(value, site, result, frame)
                return opaque(value, site, self.factors)
            return self.scale(value, site, depth)
        if definition.how == "assign" and isinstance(value, cst.List) and not value.elements:
            return summed(
                [(part, self.scale(part, where, depth + 1)) for part, where in appended(definition, self.resolver.trace)]
            )
        result = self.scale(value, site, depth)
        if definition.how != "assign" or definition.statement is None:
            return result
        own, twice = (
            tuple(
                replace(d, statement=definition.statement, target=d.target or definition.key) if d.node is value else d
                for d in divisions
            )
            for divisions in (result.divisions, result.doubled)
        )
        return replace(result, divisions=own, doubled=twice)

    def augmented(self, definition: Definition, operand: cst.BaseExpression, depth: int) -> LossScale:
        """`loss /= n`, or `loss.div_(n)` on a line of its own."""
        site, node = site_of(definition), definition.node
        operator, target = operator_of(definition), target_of(definition)
        if target is None:
            return UNKNOWN
        old = self.name(target, site, depth + 1)
        if operator is cst.DivideAssign:
            return self.divided(old, node, target, operand, site, definition)
        if operator is cst.MultiplyAssign:
            if self.factors.is_reciprocal(operand, site):
                return self.divided(old, node, target, operand, site, definition, inverse=True)
            return old if self.factors.is_weight(operand, site) else replace(old, scale=doubted(old.scale))
        if operator in (cst.AddAssign, cst.SubtractAssign):
            return added(old, self.scale(operand, site, depth + 1), operand)
        return UNKNOWN

    def inside(self, node: cst.BaseExpression, site: Site, depth: int) -> LossScale:
        """`outputs.loss`, `outputs[0]`, `losses["total"]`: what was said of the whole."""
        if isinstance(node, (cst.Attribute, cst.Subscript)):
            base = node.value
            if isinstance(base, cst.Call):
                return self.call(base, site, depth)
            if isinstance(base, cst.Name) and base.value == "self":
                return UNKNOWN
            name = dotted(base)
            if name and self.resolver.all_of(f"{name}[*]", site.frame):
                return UNKNOWN
            return self.scale(base, site, depth)
        return UNKNOWN
