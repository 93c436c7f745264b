"""Answers questions about objects: which is meant by a name, what it is to training, and what built it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import libcst as cst

from gradlint.model.names.lookup import MAX_HOPS, Lookup
from gradlint.model.names.records import Definition, Frame, Site, Trace, site_of
from gradlint.model.names.vocabulary import Role
from gradlint.model.syntax.expressions import NOT_LITERAL, argument, dotted, last_name, literal, text

_ROLE_OF_TYPE = {
    "Optimizer": Role.OPTIMIZER,
    "AcceleratedOptimizer": Role.OPTIMIZER,
    "AcceleratedScheduler": Role.SCHEDULER,
    "DeepSpeedEngine": Role.DEEPSPEED,
}


class Resolver(Lookup):
    """Look-ups of names, and of the objects behind them, over one trace."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self._built: dict[tuple[int, int, int], list[tuple[cst.Call, Site]]] = {}

    # Objects

    def identity(self, node: cst.BaseExpression | None, site: Site) -> str | None:
        """A key that is the same for all names of one object (parameters and plain aliases are followed)."""
        if node is None:
            return None
        key = None
        for _ in range(MAX_HOPS):
            name = dotted(node)
            if name is None:
                return key
            key = self.trace.key(name, site.frame)
            found, _ = self.reaching(name, site)
            step = found[0] if len(found) == 1 else None
            if step is not None and step.how == "loop" and any(True for _ in self.walked(step)):
                return None  # one after the other of several
            if step is None or step.how not in ("param", "assign", "loop") or step.value is None:
                return key
            if step.how != "param" and dotted(step.value) is None:
                return key
            node, site = step.value, site_of(step)
        return key

    # Roles

    def role(self, node: cst.BaseExpression, site: Site, hops: int = 0) -> Role | None:
        """What an object is to training: by what it was built from, then by its annotation, then by its spelling."""
        if hops > MAX_HOPS:
            return None
        if isinstance(node, cst.Call):
            return self.role_of_call(node, site, None, hops)
        if isinstance(node, cst.Subscript) and dotted(node) is None:
            return self.role(node.value, site, hops + 1)
        name = dotted(node)
        if name is None:
            return None
        found = self.reaching(name, site)[0]
        for definition in found:
            role = self.role_of_definition(definition, hops)
            if role is not None:
                return role
        role = self.words.role_of_spelling(last_name(node) or "")
        if role is Role.SCHEDULER and found and all(self.needs_no_optimizer(each) for each in found):
            return Role.OTHER
        if role is None and isinstance(node, cst.Subscript):
            whole = self.words.role_of_spelling(last_name(node.value) or "")
            return whole if whole is Role.LOADER else None
        return role

    def role_of_definition(self, definition: Definition, hops: int) -> Role | None:
        annotation = getattr(definition.node, "annotation", None)
        if definition.how in ("param", "default") and annotation is not None:
            kind = last_name(_unoptional(annotation.annotation)) or ""
            role = _ROLE_OF_TYPE.get(kind) or self.words.role_of_constructor(kind)
            if role is not None:
                return role
        value, site = definition.value, site_of(definition)
        if definition.how == "loop":
            roles = {self.role(each, where, hops + 1) for each, where in self.walked(definition)}
            return roles.pop() if len(roles) == 1 else None
        if value is None or definition.how == "augment":
            return None
        if isinstance(value, cst.Call):
            return self.role_of_call(value, site, definition.position, hops + 1)
        if isinstance(value, cst.IfExp):
            return self.role(value.body, site, hops + 1) or self.role(value.orelse, site, hops + 1)
        if isinstance(value, (cst.Name, cst.Attribute)) and literal(value) is NOT_LITERAL:
            return self.role(value, site, hops + 1)
        return None

    def needs_no_optimizer(self, definition: Definition) -> bool:
        """An object that is made of nothing, or of nothing but numbers, by a class: it sets no rate of any optimizer."""
        call = definition.value
        if not isinstance(call, cst.Call) or definition.position is not None:
            return False
        name = last_name(call.func) or ""
        made = name[:1].isupper() and self.words.role_of_constructor(self.trace.facts.qualify(call.func)) is None
        return made and not any(arg.star for arg in call.args) and all(literal(arg.value) is not NOT_LITERAL for arg in call.args)

    def walked(self, definition: Definition) -> Iterator[tuple[cst.BaseExpression, Site]]:
        """What a loop over a tuple or list that is written out gives to its variable."""
        if definition.value is None or definition.position is not None:
            return
        for each, where in self.follow(definition.value, site_of(definition)):
            if isinstance(each, (cst.Tuple, cst.List)):
                yield from ((element.value, where) for element in each.elements if isinstance(element, cst.Element))

    def role_of_call(self, call: cst.Call, site: Site, position: int | None, hops: int) -> Role | None:
        last = last_name(call.func)
        inlined = self.trace.activations.get((id(call), site.frame.number))
        if inlined is not None:
            for definition in self.trace.returns.get(inlined.number, ()):
                value = definition.value
                if isinstance(value, cst.Tuple) and position is not None and position < len(value.elements):
                    value = value.elements[position].value
                if value is not None and (role := self.role(value, site_of(definition), hops + 1)) is not None:
                    return role
        if last == "initialize" and "deepspeed" in self.trace.facts.qualify(call.func):
            return (Role.DEEPSPEED, Role.OPTIMIZER, Role.LOADER, Role.SCHEDULER)[position or 0] if (position or 0) < 4 else None
        if last in ("prepare", "setup", "setup_dataloaders", "setup_optimizers") and call.args:
            place = position or 0
            if place < len(call.args) and not call.args[place].star:
                return self.role(call.args[place].value, site, hops + 1)
            return None
        if last == "initialize" and position is not None:
            return Role.OPTIMIZER if position == 1 else None
        role = self.words.role_of_constructor(self.trace.facts.qualify(call.func))
        # One of several things that `build_all()` returns need not be what its name says.
        return role if position is None or role is Role.OTHER else None

    def constructors(self, node: cst.BaseExpression, site: Site, hops: int = 0) -> Sequence[tuple[cst.Call, Site]]:
        """The calls that may have built an object, through names, parameters and `prepare`."""
        if hops > MAX_HOPS:
            return ()
        key = (id(node), site.frame.number, site.index)
        known = self._built.get(key)
        if known is None:
            # Kept before it is complete: what is built from itself is built by nothing more.
            known = self._built[key] = []
            known.extend(
                {(id(call), where.frame.number): (call, where) for call, where in self._builders(node, site, hops)}.values()
            )
        return known

    def _builders(self, node: cst.BaseExpression, site: Site, hops: int) -> Iterator[tuple[cst.Call, Site]]:
        if isinstance(node, cst.IfExp):
            yield from self.constructors(node.body, site, hops + 1)
            yield from self.constructors(node.orelse, site, hops + 1)
            return
        if isinstance(node, cst.Call):
            built = list(self.returned(node, site, hops))
            yield from built or [(node, site)]
            return
        name = dotted(node)
        found = self.reaching(name, site)[0] if name else []
        if not found and name is not None and site.frame.number < 0:
            for handed, where in self.given_to_class(name, site.frame):
                yield from self.constructors(handed, where, hops + 1)
        for definition in found:
            value, where = definition.value, site_of(definition)
            if definition.how == "loop":
                for each, inner in self.walked(definition):
                    yield from self.constructors(each, inner, hops + 1)
            if value is None or definition.how not in ("assign", "param", "unpack"):
                continue
            if isinstance(value, cst.Call) and definition.position is not None:
                place = definition.position
                given = value.args[place].value if place < len(value.args) and not value.args[place].star else None
                if last_name(value.func) in ("prepare", "setup", "initialize") and given is not None:
                    yield from self.constructors(given, where, hops + 1)
            elif isinstance(value, cst.Call) and last_name(value.func) == "prepare" and value.args:
                yield from self.constructors(value.args[0].value, where, hops + 1)
            else:
                yield from self.constructors(value, where, hops + 1)

    def given_to_class(self, name: str, frame: Frame) -> Iterator[tuple[cst.BaseExpression, Site]]:
        """What the calls of a class in the trace give to a parameter of its constructor."""
        function = frame.function
        if function is None or function.owner is None or function.node.name.value != "__init__":
            return
        place = next((i for i, param in enumerate(function.params[1:]) if param.name.value == name), None)
        for call in self.trace.calls if place is not None else ():
            given = argument(call.call, place, name) if last_name(call.call.func) == function.owner else None
            if given is not None:
                yield given, site_of(call)

    def returned(self, call: cst.Call, site: Site, hops: int) -> Iterator[tuple[cst.Call, Site]]:
        """The constructors in the return statements of a same-file function that makes the object."""
        name, facts = last_name(call.func) or "", self.trace.facts
        function = facts.method(site.frame.owner, name) if isinstance(call.func, cst.Attribute) else facts.by_name.get(name)
        if function is None:
            return
        home = Frame(-1000 - facts.functions.index(function), function, None, self.trace.module, function.owner)
        for node in facts.tree.of(cst.Return, function.node.body):
            if isinstance(node.value, cst.Call):
                yield from self.constructors(node.value, Site(home, -1, ()), hops + 1)

    @cached_property
    def prepared(self) -> frozenset[str] | None:
        """Identities of what was given to `accelerator.prepare`; None where the trace shows no such call."""
        found: set[str] = set()
        seen = False
        for call in self.trace.calls:
            if last_name(call.call.func) == "prepare" and isinstance(call.call.func, cst.Attribute):
                seen = True
                for arg in call.call.args:
                    found.add(self.identity(arg.value, site_of(call)) or text(arg.value))
                    found.add(last_name(arg.value) or "")
        return frozenset(found) if seen else None


def _unoptional(node: cst.BaseExpression) -> cst.BaseExpression:
    if isinstance(node, cst.BinaryOperation):
        return node.left
    if isinstance(node, cst.Subscript) and last_name(node.value) == "Optional":
        index = node.slice[0].slice
        return index.value if isinstance(index, cst.Index) else node
    return node
