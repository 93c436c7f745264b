"""Smaller facts about single events, each the answer to one question of one rule."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from gradlint.model.events import RawEvent
from gradlint.model.records import Definition
from gradlint.model.resolve import Resolver, Site, site_of
from gradlint.model.scaling import Slicer
from gradlint.model.syntax import calls_in, dotted, keywords, last_name, literal, root_name, walk
from gradlint.model.types import Guard, Kind, Steps
from gradlint.model.vocabulary import Role

_COUNTS_UPDATES = re.compile(r"global_step|logging_steps|log_steps|update|optim|completed_steps", re.I)
_PLAIN_BASES = frozenset({"object", "ABC", "Module", "Protocol", "Generic"})
_HARMLESS = frozenset(
    (
        "prepare step unscale_ scale_loss initialize load_state_dict print len isinstance id type GradScaler hasattr getattr"
    ).split()
)


def _remade(value: cst.BaseExpression | None, name: str) -> bool:
    """The value is the name's own earlier one, divided or multiplied."""
    if isinstance(value, cst.Call):
        receiver = [value.func.value] if isinstance(value.func, cst.Attribute) else []
        return any(dotted(each) == name for each in (*receiver, *(arg.value for arg in value.args)))
    return isinstance(value, cst.BinaryOperation) and name in (dotted(value.left), dotted(value.right))


def _skips_sync(guard: Guard) -> bool:
    return guard.kind == "with" and guard.test is not None and "no_sync" in (last_name(guard.test) or "")


class Details:
    """Answers about events of one trace."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def torch_built(self, raw: RawEvent) -> bool:
        """The constructor of what steps is in sight, and known."""
        facts = self.resolver.trace.facts
        if raw.kind is Kind.SCHEDULER_STEP and raw.receiver is not None:
            built = self.resolver.constructors(raw.receiver, raw.site)
            return any(facts.words.role_of_constructor(facts.qualify(call.func)) is Role.SCHEDULER for call, _ in built)
        if raw.kind is not Kind.OPTIMIZER_STEP:
            return False
        node = raw.args[0].value if raw.through == "scaler" and raw.args else raw.receiver
        if node is None:
            return False
        return any(facts.qualify(call.func).startswith("torch.optim.") for call, _ in self.resolver.constructors(node, raw.site))

    def built_for(self, raw: RawEvent) -> str | None:
        """The first name in what the optimizer was built from: `model` of `AdamW(model.parameters())`."""
        node = raw.args[0].value if raw.through == "scaler" and raw.args else raw.receiver
        for call, _ in self.resolver.constructors(node, raw.site) if node is not None else ():
            if call.args:
                return root_name(call.args[0].value)
        return None

    def built_by(self, raw: RawEvent) -> str | None:
        """The class of PyTorch's optimizer that steps, where its constructor is in sight and is the only one."""
        node = raw.args[0].value if raw.through == "scaler" and raw.args else raw.receiver
        if node is None:
            return None
        qualify = self.resolver.trace.facts.qualify
        names = {qualify(call.func) for call, _ in self.resolver.constructors(node, raw.site)}
        name = names.pop() if len(names) == 1 else ""
        return name.rsplit(".", 1)[-1] if name.startswith("torch.optim.") else None

    def handed_around(self, raw: RawEvent) -> bool:
        """The optimizer, or its scaler, is an argument of a call whose body is not in sight."""
        facts, owner = self.resolver.trace.facts, raw.frame.owner
        bases = facts.bases.get(owner, ()) if owner is not None else ()
        if any(base not in facts.bases and base not in _PLAIN_BASES for base in bases):
            return True
        mine = {each for each in (raw.target, raw.owner) if each is not None}
        for site in self.resolver.trace.calls:
            name = last_name(site.call.func) or ""
            if name in _HARMLESS or (id(site.call), site.frame.number) in self.resolver.trace.activations:
                continue
            if self.resolver.words.role_of_constructor(self.resolver.trace.facts.qualify(site.call.func)) is Role.SCHEDULER:
                continue
            for arg in site.call.args:
                if isinstance(arg.value, (cst.Name, cst.Attribute)) and self.resolver.identity(arg.value, site_of(site)) in mine:
                    return True
        return False

    def token_mean(self, raw: RawEvent) -> cst.Call | None:
        """The call that takes a mean over tokens of which some are masked: `ignore_index` is given to it."""
        for value, site in self.values(raw.loss, raw.site):
            for call in calls_in(value):
                built = self.resolver.constructors(call.func, site) if isinstance(call.func, (cst.Name, cst.Attribute)) else ()
                if any("ignore_index" in keywords(each) for each in (call, *(c for c, _ in built))):
                    return call
        return None

    def values(self, node: cst.BaseExpression | None, site: Site, hops: int = 0) -> Iterator[tuple[cst.BaseExpression, Site]]:
        """What a loss was computed from, a few assignments back."""
        if node is None or hops > 4:
            return
        yield node, site
        for each in walk(node):
            name = dotted(each) if isinstance(each, cst.Name) else None
            for definition in self.resolver.reaching(name, site)[0] if name else ():
                if definition.value is not None and definition.how in ("assign", "augment"):
                    yield from self.values(definition.value, site_of(definition), hops + 1)

    def loss_index(self, raw: RawEvent) -> int | None:
        """When the name that is backpropagated got its value, where a call computed it."""
        node = raw.loss
        while isinstance(node, cst.BinaryOperation):
            node = node.left
        name = dotted(node) if node is not None else None
        found = self.given(name, raw.site) if name else []
        # `loss = loss / N` is no forward pass: what it was made from is.
        while name and found and (found[0].how == "augment" or _remade(found[0].value, name)):
            found = self.given(name, site_of(found[0]))
        if not found or any(_skips_sync(guard) for guard in found[0].path):
            return None
        return found[0].index

    def given(self, name: str, site: Site) -> list[Definition]:
        """What gives a name its value at a place, by an assignment of any kind."""
        return [d for d in self.resolver.reaching(name, site)[0] if d.how in ("assign", "unpack", "augment")]

    def restored(self, raw: RawEvent, steps: Steps | None, loop: Guard | None, windowed: bool) -> bool:
        """The report multiplies by N again, or sums the divided losses over exactly one window."""
        slicer = Slicer(self.resolver, steps)
        holder = raw.statement
        for definitions in self.resolver.trace.definitions.values():
            for definition in definitions:
                if definition.value is None or not any(node is raw.node for node in walk(definition.value)):
                    continue
                if self.multiplied(definition.value, raw, slicer, definition_site=raw.site):
                    return True
                if definition.how == "augment" and not self.reported(definition.key):
                    return True
                if self.summed_over_window(definition.key, loop, windowed) or self.multiplied_later(definition.key, slicer):
                    return True
        for site in self.resolver.trace.calls:
            if (site.statement is not None and site.statement is holder) or any(n is raw.node for n in walk(site.call)):
                if self.multiplied(site.call, raw, slicer, definition_site=raw.site):
                    return True
        return False

    def multiplied(self, node: cst.BaseExpression, raw: RawEvent, slicer: Slicer, definition_site: Site) -> bool:
        return any(
            isinstance(each, cst.BinaryOperation)
            and isinstance(each.operator, cst.Multiply)
            and any(n is raw.node for n in walk(each))
            and (
                slicer.mentions_steps(each, definition_site)
                or any(slicer.is_steps(s, definition_site) for s in (each.left, each.right))
            )
            for each in walk(node)
        )

    def summed_over_window(self, key: str, loop: Guard | None, windowed: bool) -> bool:
        """The sum is set back once per window: inside the loop under a condition, or around a loop over one window."""
        for definition in self.resolver.trace.definitions.get(key, ()):
            if definition.how != "assign" or definition.value is None or literal(definition.value) not in (0, 0.0):
                continue
            inside = any(g is loop for g in definition.path)
            if windowed and not inside and any(g.kind == "loop" for g in definition.path):
                return True
            if windowed and not inside and loop is not None and not any(g.kind == "loop" for g in self.prefix(loop)):
                return True
            if inside and definition.path[-1].kind == "branch" and self.at_boundary(definition.path[-1]):
                return True
        return False

    def prefix(self, loop: Guard) -> tuple[Guard, ...]:
        for site in self.resolver.trace.calls:
            for place, guard in enumerate(site.path):
                if guard is loop:
                    return site.path[:place]
        return ()

    def at_boundary(self, guard: Guard) -> bool:
        """The condition under which the sum is set back is the one under which the optimizer steps."""
        for site in self.resolver.trace.calls:
            name = last_name(site.call.func)
            if name in ("step", "zero_grad") and any(g.group == guard.group and g.arm == guard.arm for g in site.path):
                return True
        return False

    def multiplied_later(self, key: str, slicer: Slicer) -> bool:
        """The sum itself is multiplied by N, or divided by a number of updates, where it is used."""
        name = key.partition(":")[2] or key
        for each, site in self.uses(key):
            for node in walk(each):
                if not isinstance(node, cst.BinaryOperation) or not any(dotted(n) == name for n in walk(node.left)):
                    continue
                by_steps = slicer.mentions_steps(node, site) or slicer.is_steps(node.right, site)
                if isinstance(node.operator, cst.Multiply) and by_steps:
                    return True
                if isinstance(node.operator, cst.Divide) and _COUNTS_UPDATES.search(last_name(node.right) or ""):
                    return True
        return False

    def reported(self, key: str) -> bool:
        """A sum is averaged, printed or returned in sight; what a closure of its own does with it cannot be told."""
        name = key.partition(":")[2] or key
        trace = self.resolver.trace
        returned = any(
            definition.value is not None and any(dotted(node) == name for node in walk(definition.value))
            for definitions in trace.returns.values()
            for definition in definitions
        )
        return returned or any(
            any(dotted(inner) == name for inner in walk(node))
            for each, _ in self.uses(key)
            for node in walk(each)
            if isinstance(node, cst.Call) or (isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide))
        )

    def uses(self, key: str) -> Iterator[tuple[cst.BaseExpression, Site]]:
        """Every expression of the activation in which a name may be read: arguments, assigned and returned values."""
        number = key.partition(":")[0]
        trace = self.resolver.trace
        for site in trace.calls:
            if str(site.frame.number) == number:
                yield site.call, site_of(site)
        for definitions in (*trace.definitions.values(), *trace.returns.values()):
            for definition in definitions:
                if str(definition.frame.number) == number and definition.value is not None:
                    yield definition.value, site_of(definition)
