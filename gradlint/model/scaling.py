"""The loss scale: a backward slice from the value that is backpropagated, with the answers divided, not divided, unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import libcst as cst

from gradlint.model.boundary import tests_steps
from gradlint.model.records import Definition, Frame
from gradlint.model.resolve import Resolver, Site, same_steps, site_of
from gradlint.model.syntax import NOT_LITERAL, dotted, keywords, last_name, literal, method_call, root_name, text, uncast, walk
from gradlint.model.types import Division, LossScale, Path, Scale, Steps
from gradlint.model.vocabulary import ACROSS_PROCESSES, COMBINES, PASS_THROUGH

MAX_DEPTH = 24
_FUNCTIONS = frozenset(["torch", "np", "math", "F", "nn", "float", "int", "len", "max", "min", "sum", "abs"])
_FACTOR = re.compile(r"scale|norm|inv|accum|ratio|frac|mult|divisor|denom|num_|count|total", re.I)
_LOSS = re.compile(r"loss|cost|objective|criterion_out|(^|_)(nll|ce|kl|elbo)(_|$)", re.I)
UNKNOWN = LossScale(Scale.UNKNOWN)
FRESH = LossScale(Scale.UNDIVIDED)


@dataclass(frozen=True, eq=False)
class Slicer:
    """Judges values against one N (`steps` is None where the loop shows none)."""

    resolver: Resolver
    steps: Steps | None

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
            if self.mentions_steps(node.test, site):
                return next((arm for arm in arms if arm.scale is Scale.DIVIDED), _join(arms))
            return _join(arms)
        if isinstance(node, (cst.Name, cst.Attribute, cst.Subscript)):
            return self.name(node, site, depth + 1)
        if isinstance(node, cst.NamedExpr):
            return self.scale(node.value, site, depth + 1)
        if isinstance(node, (cst.List, cst.Tuple, cst.Set)):
            return self.terms([e.value for e in node.elements], site, depth)
        if isinstance(node, (cst.GeneratorExp, cst.ListComp)):
            return self.scale(node.elt, site, depth + 1)
        if literal(node) is not NOT_LITERAL:
            return LossScale(Scale.UNDIVIDED, why="literal")
        return UNKNOWN

    # N

    def is_steps(self, node: cst.BaseExpression, site: Site) -> bool:
        """Whether an expression is N."""
        names = self.resolver.aliases(node, site) | {text(node)}
        if self.steps is None:
            return any(self.resolver.words.spells_steps(name) for name in names)
        if same_steps(names, self.steps.names, self.resolver.words):
            return True
        value = self.resolver.number(node, site)
        return value is not None and value == self.steps.value

    def mentions_steps(self, node: cst.CSTNode, site: Site) -> bool:
        return any(
            self.is_steps(each, site)
            for each in walk(node)
            if isinstance(each, (cst.Name, cst.Attribute)) and literal(each) is NOT_LITERAL
        )

    def is_reciprocal(self, node: cst.BaseExpression, site: Site) -> bool:
        """Whether an expression is 1 / N."""
        for each, where in self.resolver.follow(node, site):
            if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, cst.Divide):
                if literal(each.left) in (1, 1.0) and self.is_steps(each.right, where):
                    return True
        return False

    # Operations

    def operation(self, node: cst.BinaryOperation, site: Site, depth: int) -> LossScale:
        if isinstance(node.operator, (cst.Add, cst.Subtract)):
            return self.terms([node.left, node.right], site, depth)
        if isinstance(node.operator, cst.Divide):
            return self.divided(self.scale(node.left, site, depth), node, node.left, node.right, site, None)
        if isinstance(node.operator, cst.FloorDivide):
            return UNKNOWN
        if isinstance(node.operator, cst.Multiply):
            return self.product(node, site, depth)
        return UNKNOWN if self.mentions_steps(node, site) else FRESH

    def product(self, node: cst.BinaryOperation, site: Site, depth: int) -> LossScale:
        for value, factor in ((node.left, node.right), (node.right, node.left)):
            if self.is_reciprocal(factor, site):
                return self.divided(self.scale(value, site, depth), node, value, factor, site, None, by_steps=True)
        if self.is_steps(node.left, site) or self.is_steps(node.right, site):
            return UNKNOWN
        if _counts_samples(node.left) or _counts_samples(node.right):
            return LossScale(Scale.UNKNOWN, why="sum")
        for value, factor in ((node.left, node.right), (node.right, node.left)):
            count = self.inverse_count(factor, site)
            if count is not None:
                inner = self.scale(value, site, depth)
                division = Division(
                    node,
                    factor,
                    value,
                    self.resolver.aliases(factor, site),
                    count,
                    None,
                    None,
                    site.path,
                    site.index,
                    inverse=True,
                )
                return LossScale(Scale.UNKNOWN, (*inner.divisions, division), inner.doubled)
        sides = [self.scale(side, site, depth) for side in (node.left, node.right)]
        for side, other in ((0, node.right), (1, node.left)):
            if sides[side].divisions and not sides[1 - side].divisions:
                return sides[side] if self.is_weight(other, site) else replace(sides[side], scale=_doubt(sides[side].scale))
        if any(side.divisions for side in sides):
            return UNKNOWN
        doubtful = [s for s, part in zip(sides, (node.left, node.right), strict=True) if not self.is_weight(part, site)]
        if len(doubtful) == 2 and not any(_LOSS.search(text(p)) for p in (node.left, node.right)):
            return LossScale(Scale.UNKNOWN, why="a product of two values")
        return FRESH if all(s.scale is Scale.UNDIVIDED for s in doubtful) else UNKNOWN

    def inverse_count(self, node: cst.BaseExpression, site: Site) -> int | None:
        """k where a factor is a name for `1 / k`."""
        if literal(node) is not NOT_LITERAL:
            return None
        for each, where in self.resolver.follow(node, site):
            if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, cst.Divide) and literal(each.left) in (1, 1.0):
                count = self.resolver.number(each.right, where)
                return int(count) if count is not None and count == int(count) and count > 1 else None
        return None

    def is_weight(self, node: cst.BaseExpression, site: Site) -> bool:
        """A factor that weighs a loss and does not normalise it."""
        if literal(node) is not NOT_LITERAL or self.resolver.number(node, site) is not None:
            return True
        if isinstance(node, cst.BinaryOperation):
            return self.is_weight(node.left, site) and self.is_weight(node.right, site)
        name = last_name(node)
        if isinstance(node, (cst.Name, cst.Attribute, cst.Subscript)) and name:
            return not _FACTOR.search(name) and not _LOSS.search(name)
        return False

    def terms(self, parts: Iterable[cst.BaseExpression], site: Site, depth: int) -> LossScale:
        """A sum: every term must be divided."""
        judged: list[tuple[cst.BaseExpression, LossScale]] = []
        for part in parts:
            result = self.scale(part, site, depth + 1)
            if result.why != "literal":
                judged.append((part, result))
        if not judged:
            return LossScale(Scale.UNDIVIDED, why="literal")
        divisions = tuple(d for _, r in judged for d in r.divisions)
        doubled = tuple(d for _, r in judged for d in r.doubled)
        kinds = {r.scale for _, r in judged}
        if len(kinds) == 1:
            return replace(judged[0][1], divisions=divisions, doubled=doubled)
        if Scale.UNKNOWN in kinds or Scale.PARTLY in kinds:
            inner = tuple(t for _, r in judged for t in r.undivided_terms)
            if Scale.PARTLY in kinds and Scale.UNKNOWN not in kinds and inner:
                own = tuple(p for p, r in judged if r.scale is Scale.UNDIVIDED)
                return LossScale(Scale.PARTLY, divisions, doubled, inner + own)
            return LossScale(Scale.UNKNOWN, divisions, doubled)
        undivided = tuple(p for p, r in judged if r.scale is Scale.UNDIVIDED)
        return LossScale(Scale.PARTLY, divisions, doubled, undivided, "terms")

    def divided(
        self,
        inner: LossScale,
        node: cst.CSTNode,
        dividend: cst.BaseExpression,
        divisor: cst.BaseExpression,
        site: Site,
        definition: Definition | None,
        *,
        by_steps: bool = False,
    ) -> LossScale:
        by_steps = by_steps or self.is_steps(divisor, site)
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
        )
        divisions = (*inner.divisions, division)
        if by_steps:
            scale = Scale.DIVIDED
            if inner.scale is Scale.UNKNOWN and inner.why == "sum":
                scale = Scale.UNKNOWN
            again = (division,) if inner.scale is Scale.DIVIDED else ()
            return LossScale(scale, divisions, (*inner.doubled, *again))
        if inner.scale is Scale.UNDIVIDED and self.counts_own_batch(divisor, site):
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

    def counts_own_batch(self, node: cst.BaseExpression, site: Site) -> bool:
        """`x.size(0)`, `mask.sum()`, `len(x)`: everything in it is new in each micro-batch, and N plays no part."""
        loops = [guard for guard in site.path if guard.kind == "loop"]
        fresh = False
        for name in {each.value for each in walk(node) if isinstance(each, cst.Name)} - _FUNCTIONS:
            found = self.resolver.all_of(name, site.frame)
            if not found or self.resolver.words.spells_steps(name):
                if name in (last_name(each) for each in walk(node) if isinstance(each, cst.Attribute)):
                    continue
                return False
            for definition in found:
                if not loops or not any(guard is loops[-1] for guard in definition.path) or definition.how == "augment":
                    return False
                if definition.value is not None and self.mentions_steps(definition.value, site_of(definition)):
                    return False
            fresh = True
        return fresh

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
            if self.is_reciprocal(node.args[0].value, site):
                inner = self.scale(called[0], site, depth)
                return self.divided(inner, node, called[0], node.args[0].value, site, None, by_steps=True)
            return self.scale(called[0], site, depth) if self.is_weight(node.args[0].value, site) else UNKNOWN
        if called is not None and name in ("add", "add_") and node.args and dotted(called[0]) != "torch":
            return self.terms([called[0], node.args[0].value], site, depth)
        if name in ("scale", "scale_loss") and node.args:
            return self.scale(node.args[0].value, site, depth)
        frame = self.resolver.trace.activations.get((id(node), site.frame.number))
        if frame is not None:
            return self.from_helper(node, site, self.returned(frame.number, depth), frame)
        if name in COMBINES and node.args and (called is None or dotted(called[0]) in ("torch", "np", "F")):
            return self.scale(node.args[0].value, site, depth)
        if ACROSS_PROCESSES.search(name) and node.args and not self.mentions_steps(node, site):
            return self.scale(node.args[0].value, site, depth)
        if called is not None and name in PASS_THROUGH and self.carries_loss(called[0], site):
            return self.scale(called[0], site, depth)
        return self.opaque(node, site)

    def carries_loss(self, node: cst.BaseExpression, site: Site) -> bool:
        return not isinstance(node, cst.Name) or dotted(node) not in ("torch", "F", "nn", "self", "np")

    def opaque(self, node: cst.Call, site: Site) -> LossScale:
        """A call whose body is not here: a fresh loss, unless N or a loss is handed to it, or it sums."""
        reduction = keywords(node).get("reduction")
        if reduction is not None and literal(reduction) != "mean":
            return LossScale(Scale.UNKNOWN, why="sum")
        if self.sums(node.func, site):
            return LossScale(Scale.UNKNOWN, why="sum")
        for arg in node.args:
            if self.mentions_steps(arg.value, site):
                return LossScale(Scale.UNKNOWN, why="N is an argument")
            name = last_name(arg.value)
            if isinstance(arg.value, (cst.Name, cst.Attribute)) and name and re.search(r"(^|_)loss(es)?(_|$)", name):
                if not re.search(r"fn|func|weight|type|name|mask|crit", name):
                    return LossScale(Scale.UNKNOWN, why="the loss passes through a call")
        return FRESH

    def sums(self, function: cst.BaseExpression, site: Site) -> bool:
        """The loss function was built with another reduction than the mean."""
        name = dotted(function)
        if name is None:
            return False
        for definition in self.resolver.reaching(name, site)[0]:
            if isinstance(definition.value, cst.Call):
                reduction = keywords(definition.value).get("reduction")
                if reduction is not None and literal(reduction) != "mean":
                    return True
        return False

    def from_helper(self, node: cst.Call, site: Site, result: LossScale, frame: Frame) -> LossScale:
        """A helper that divides by something of its own (a dice loss, a token count) makes a fresh loss."""
        if result.scale is not Scale.UNKNOWN or result.why == "sum" or any(d.by_steps for d in result.divisions):
            return result
        params = {param.name.value for param in frame.function.params} if frame.function else set()
        if any(root_name(d.divisor) in params and dotted(d.divisor) for d in result.divisions):
            return result
        return self.opaque(node, site) if result.divisions else result

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
        return _join(results) if results else UNKNOWN

    # Names

    def name(self, node: cst.BaseExpression, site: Site, depth: int) -> LossScale:
        key = dotted(node)
        if key is None:
            return self.inside(node, site, depth)
        found, complete = self.resolver.reaching(key, site)
        if not found:
            return self.inside(node, site, depth)
        results: list[LossScale] = []
        for definition in found:
            result = self.definition(definition, key, depth)
            if result.why == "literal" and len(found) > 1:
                continue
            if result.scale is Scale.DIVIDED and self.under_test_of_steps(definition, site.path):
                return result
            results.append(result)
        if not complete and found and all(d.how != "augment" for d in found) and not results:
            return UNKNOWN
        return _join(results) if results else FRESH

    def under_test_of_steps(self, definition: Definition, path: Path) -> bool:
        """Under `if N > 1:` alone, where the other arm has nothing to divide."""
        known = {guard.group for guard in path}
        own = [guard for guard in definition.path if guard.kind == "branch" and guard.group not in known]
        return any(tests_steps(guard, self.steps or Steps(None), self.resolver.words) for guard in own)

    def definition(self, definition: Definition, key: str, depth: int) -> LossScale:
        site, value = site_of(definition), definition.value
        if value is None:
            return UNKNOWN
        if definition.how == "augment" and isinstance(definition.node, cst.AugAssign):
            return self.augmented(definition.node, definition, key, depth)
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
                return self.opaque(value, site)
            return self.scale(value, site, depth)
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

    def augmented(self, node: cst.AugAssign, definition: Definition, key: str, depth: int) -> LossScale:
        site = site_of(definition)
        before = replace_index(site, definition.index)
        target = node.target
        if not isinstance(target, cst.BaseExpression):
            return UNKNOWN
        old = self.name(target, before, depth + 1)
        if isinstance(node.operator, cst.DivideAssign):
            return self.divided(old, node, target, node.value, site, definition)
        if isinstance(node.operator, cst.MultiplyAssign):
            if self.is_reciprocal(node.value, site):
                return self.divided(old, node, target, node.value, site, definition, by_steps=True)
            return old if self.is_weight(node.value, site) else replace(old, scale=_doubt(old.scale))
        if isinstance(node.operator, (cst.AddAssign, cst.SubtractAssign)):
            new = self.scale(node.value, site, depth + 1)
            divisions, doubled = (*old.divisions, *new.divisions), (*old.doubled, *new.doubled)
            if old.why == "literal" or old.scale is new.scale:
                return replace(new, divisions=divisions, doubled=doubled)
            if Scale.UNKNOWN in (old.scale, new.scale):
                return LossScale(Scale.UNKNOWN, divisions, doubled)
            term = node.value if new.scale is Scale.UNDIVIDED else None
            terms = (*old.undivided_terms, *new.undivided_terms, *((term,) if term else ()))
            return LossScale(Scale.PARTLY, divisions, doubled, terms, "terms")
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


def _counts_samples(node: cst.BaseExpression) -> bool:
    """`batch_size`, `x.size(0)`, `x.shape[0]`, `len(x)`: a mean that is multiplied by it is a sum over samples."""
    if isinstance(node, cst.Call):
        return last_name(node.func) == "len" or (last_name(node.func) == "size" and [literal(a.value) for a in node.args] == [0])
    if isinstance(node, cst.Subscript):
        return (dotted(node) or "").endswith(".shape[0]")
    return bool(re.search(r"batch_?size|^bsz?$", last_name(node) or "", re.I))


def replace_index(site: Site, index: int) -> Site:
    """The same place, before an index."""
    return Site(site.frame, index, site.path)


def _doubt(scale: Scale) -> Scale:
    return scale if scale is Scale.DIVIDED else Scale.UNKNOWN


def _join(results: list[LossScale]) -> LossScale:
    """Several paths lead here: they must agree."""
    known = [r for r in results if r.why != "literal"] or results
    divisions = tuple({id(d.node): d for r in known for d in r.divisions}.values())
    doubled = tuple({id(d.node): d for r in known for d in r.doubled}.values())
    scales = {r.scale for r in known}
    if len(scales) == 1:
        return replace(known[0], divisions=divisions, doubled=doubled)
    if Scale.UNKNOWN in scales:
        return LossScale(Scale.UNKNOWN, divisions, doubled)
    terms = tuple(t for r in known for t in r.undivided_terms)
    return LossScale(Scale.PARTLY, divisions, doubled, terms, "paths" if not terms else "terms")
