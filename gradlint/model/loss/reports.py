"""What becomes of a loss that is reported: whether the division by N is undone, or made up for by a sum over the window."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.loss.sums import Sums
from gradlint.model.names.records import Definition, RawEvent, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import calls_in, dotted, last_name, walk
from gradlint.model.syntax.paths import Guard

_CHECKS = frozenset({"isnan", "isinf", "isfinite"})


class Ledger:
    """The reports of one micro loop, whose sums are known."""

    def __init__(self, resolver: Resolver, sums: Sums) -> None:
        self.resolver = resolver
        self.trace = resolver.trace
        self.sums = sums

    def restores(self, raw: RawEvent) -> bool:
        """The report multiplies by N again, sums the divided losses over exactly one window, or is none."""
        tree = self.trace.facts.tree
        if any(tree.holds(each, raw.node) for each in tree.all(cst.Comparison)):
            return True  # it is compared, and told to nobody
        if any(map(_not_finite, raw.path)) or self.sums_reports(raw) or self.listed_and_summed(raw):
            return True
        return any(self.made_up_for(*place, raw) for place in self.places(raw.node, raw.site))

    def places(
        self, node: cst.CSTNode, site: Site, position: int | None = None
    ) -> Iterator[tuple[cst.CSTNode, Site, int | None]]:
        """Where a value is reported: where it stands, and where the functions that return it are called.

        The number is its place in the tuple that such a call returns.
        """
        yield node, site, position
        for given in self.trace.returns.get(site.frame.number, ()):
            parts = [each.value for each in given.value.elements] if isinstance(given.value, cst.Tuple) else [given.value]
            held = [place for place, part in enumerate(parts) if part is not None and self.stands_for(part, site_of(given), node)]
            for call in self.trace.calls if held else ():
                if self.trace.activations.get((id(call.call), call.frame.number)) is site.frame:
                    yield from self.places(call.call, site_of(call), held[0] if len(parts) > 1 else None)

    def stands_for(self, value: cst.BaseExpression, site: Site, node: cst.CSTNode) -> bool:
        return any(self.trace.facts.tree.holds(each, node) for each, _ in self.resolver.follow(value, site))

    def made_up_for(self, node: cst.CSTNode, site: Site, position: int | None, raw: RawEvent) -> bool:
        """What is done with a value at one place makes the number true, or makes it none that anybody sees."""
        tree = self.trace.facts.tree
        returned = (given.value for given in self.trace.returns.get(site.frame.number, ()))
        if any(value is not None and tree.holds(value, node) and self.multiplied(value, node, site) for value in returned):
            return True
        for definitions in self.trace.definitions.values():
            for definition in definitions:
                if definition.value is None or not tree.holds(definition.value, node):
                    continue
                if None not in (position, definition.position) and position != definition.position:
                    continue
                if self.multiplied(definition.value, node, site):
                    return True
                if definition.how == "augment" and not self.sums.reported(definition.key):
                    return True
                keys = (definition.key, *self.sums_of(definition))
                if any(self.sums.summed_over_window(key) or self.sums.multiplied_later(key) for key in keys):
                    return True
        for call in self.trace.calls:
            if last_name(call.call.func) in _CHECKS and tree.holds(call.call, node):
                return True
            if (call.statement is not None and call.statement is raw.statement) or tree.holds(call.call, node):
                if self.multiplied(call.call, node, site):
                    return True
        return False

    def sums_reports(self, raw: RawEvent) -> bool:
        """What is reported is a sum, or the mean of one, and each of its parts was looked at where it was added."""
        return raw.loss is not None and self.is_sum(raw.loss, raw.site)

    def is_sum(self, node: cst.BaseExpression, site: Site) -> bool:
        nodes = self.trace.facts.tree.below(node)
        names = {dotted(each) for each in nodes if isinstance(each, (cst.Name, cst.Attribute))} - {None}
        given = ((d, name) for name in names if name for d in self.resolver.reaching(name, site)[0])
        return any(self.adds_reports(d, name) or self.returns_sum(d) for d, name in given)

    def returns_sum(self, definition: Definition) -> bool:
        """`out, total = self.window()`, of a function that returns a sum."""
        call = definition.value
        run = self.trace.activations.get((id(call), definition.frame.number))
        for given in self.trace.returns.get(run.number, ()) if run is not None and definition.how in ("assign", "unpack") else ():
            value, place = given.value, definition.position
            if isinstance(value, cst.Tuple) and place is not None:
                value = value.elements[place].value if place < len(value.elements) else None
            if value is not None and self.is_sum(value, site_of(given)):
                return True
        return False

    def adds_reports(self, definition: Definition, name: str) -> bool:
        """`total += loss.detach()`, a total of one window, or `total += loss / N` in a loop that it was begun outside of."""
        value = definition.value
        if definition.how != "augment" or value is None:
            return False
        reported = any(last_name(call.func) in ("detach", "item") for call in calls_in(value))
        if reported or self.sums.summed_over_window(definition.key):
            return True
        begun = [d for d in self.resolver.all_of(name, definition.frame) if d.how == "assign"]
        loops = [g for g in definition.path if g.kind == "loop"]
        around = begun and all(any(g not in d.path for g in loops) for d in begun)
        return bool(around) and self.sums.factors.mentions_steps(value, site_of(definition))

    def listed_and_summed(self, raw: RawEvent) -> bool:
        """The losses of one window are put into a list, whose sum is reported, and not its mean."""
        tree = self.trace.facts.tree
        for site in self.trace.calls:
            func = site.call.func
            if not isinstance(func, cst.Attribute) or func.attr.value != "append" or not tree.holds(site.call, raw.node):
                continue
            name = dotted(func.value) or ""
            if not self.sums.windowed and not any(map(self.sums.of_updates, self.sums.resets(self.trace.key(name, site.frame)))):
                continue
            used = [each for each, _ in self.sums.uses(self.trace.key(name, site.frame))]
            sums = [call for each in used for call in calls_in(each) if last_name(call.func) == "sum" and _mentions(call, name)]
            divided = (
                node for each in used for node in tree.of(cst.BinaryOperation, each) if isinstance(node.operator, cst.Divide)
            )
            return bool(sums) and not any(_mentions(node.left, name) for node in divided)
        return False

    def sums_of(self, definition: Definition) -> Iterator[str]:
        """The sums to which a reported value is added under its own name: `value = loss.item(); total += value`."""
        name = definition.key.partition(":")[2] or definition.key
        if self.shown_itself(definition.key, name):
            return
        for key, definitions in self.trace.definitions.items() if definition.how in ("assign", "unpack") else ():
            grown = (d for d in definitions if d.how == "augment" and d.frame is definition.frame)
            if any(d.value is not None and dotted(d.value) == name for d in grown):
                yield key

    def shown_itself(self, key: str, name: str) -> bool:
        """The value under a name of its own is used for more than a sum, or a check for numbers that are none."""
        for each, _ in self.sums.uses(key):
            checked = isinstance(each, cst.Call) and last_name(each.func) in _CHECKS
            if dotted(each) != name and not checked and _mentions(each, name):
                return True
        return False

    def multiplied(self, whole: cst.BaseExpression, node: cst.CSTNode, site: Site) -> bool:
        tree, factors = self.trace.facts.tree, self.sums.factors
        return any(
            isinstance(each.operator, cst.Multiply)
            and tree.holds(each, node)
            and (factors.mentions_steps(each, site) or any(factors.is_steps(s, site) for s in (each.left, each.right)))
            for each in tree.of(cst.BinaryOperation, whole)
        )


def _mentions(node: cst.CSTNode, name: str) -> bool:
    return any(dotted(each) == name for each in walk(node))


def _not_finite(guard: Guard) -> bool:
    """What stands here is done with a loss that is inf or nan, which is the same divided by N."""
    test, arm = guard.test, guard.arm
    if guard.kind != "branch" or test is None:
        return False
    while isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        test, arm = test.expression, 1 - arm
    checks = {last_name(call.func) for call in calls_in(test)} & _CHECKS
    return bool(checks) and (arm == 1) == ("isfinite" in checks)
