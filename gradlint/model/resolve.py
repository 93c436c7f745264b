"""Questions about names: which definitions reach a place, what an expression is also called, what role it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.model.records import CallSite, Definition, Frame, Trace
from gradlint.model.syntax import NOT_LITERAL, argument, arithmetic, dotted, last_name, literal, text
from gradlint.model.types import Path, Steps, exclusive
from gradlint.model.vocabulary import Role, Taught

MAX_HOPS = 8
_ROLE_OF_TYPE = {
    "Optimizer": Role.OPTIMIZER,
    "AcceleratedOptimizer": Role.OPTIMIZER,
    "AcceleratedScheduler": Role.SCHEDULER,
    "DeepSpeedEngine": Role.DEEPSPEED,
}


@dataclass(frozen=True, eq=False)
class Site:
    """A place in the trace from which names are looked up."""

    frame: Frame
    index: int
    path: Path


def site_of(record: CallSite | Definition) -> Site:
    """The place of a call or a definition."""
    return Site(record.frame, record.index, record.path)


def dominates(inner: Path, outer: Path) -> bool:
    """True where code at `inner` has surely run when code at `outer` runs later (loops are taken to run)."""
    decisions = [(guard.group, guard.arm) for guard in inner if guard.kind in ("branch", "handler")]
    return not decisions or {(guard.group, guard.arm) for guard in outer}.issuperset(decisions)


class Resolver:
    """Name look-ups over one trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.words = trace.facts.words
        self._assigned: dict[int, dict[str | None, list[cst.Assign]]] = {}
        self._built: dict[tuple[int, int, int], list[tuple[cst.Call, Site]]] = {}

    # Definitions

    def all_of(self, name: str, frame: Frame) -> list[Definition]:
        """Every definition of a dotted name that the trace holds, in order."""
        return self.trace.definitions.get(self.trace.key(name, frame), [])

    def reaching(self, name: str, site: Site) -> tuple[list[Definition], bool]:
        """The definitions that can give the name its value here, latest first; False where others may exist."""
        found: list[Definition] = []
        covered: set[tuple[object, int]] = set()
        for definition in reversed(self.all_of(name, site.frame)):
            if definition.index >= site.index or exclusive(definition.path, site.path):
                continue
            if any(dominates(later.path, definition.path) for later in found):
                continue
            found.append(definition)
            if dominates(definition.path, site.path):
                return found, True
            arms = {(g.group, g.arm) for g in site.path}
            extra = [g for g in definition.path if g.kind in ("branch", "handler") and (g.group, g.arm) not in arms]
            if len(extra) == 1 and extra[0].kind == "branch":
                if (extra[0].group, 1 - extra[0].arm) in covered:
                    return found, True
                covered.add((extra[0].group, extra[0].arm))
        static = self.static(name, site.frame) or self.static_locals(name, site.frame)
        return [*found, *static], bool(static)

    def static_locals(self, name: str, frame: Frame) -> list[Definition]:
        """What a method that the trace does not run gives to a local name of its own."""
        if frame.number >= 0 or frame.function is None or not name.isidentifier():
            return []
        assigned = self._assigned.get(id(frame.function.node))
        if assigned is None:
            assigned = {}
            for node in self.trace.facts.tree.of(cst.Assign, frame.function.node.body):
                for target in node.targets:
                    assigned.setdefault(dotted(target.target), []).append(node)
            self._assigned[id(frame.function.node)] = assigned
        return [Definition(name, node.value, frame, (), -1, "assign", node) for node in assigned.get(name, ())]

    def static(self, name: str, frame: Frame) -> list[Definition]:
        """What other methods of the class give to `self.name`, where the trace itself does not run them."""
        if not (name.startswith("self.") and frame.owner):
            return []
        bare = name.removeprefix("self.")
        result = []
        for given in self.trace.facts.attribute(frame.owner, bare):
            home = Frame(-1 - self.trace.facts.functions.index(given.method), given.method, None, self.trace.module, frame.owner)
            result.append(Definition(name, given.value, home, (), -1, "assign", given.value))
        return result

    def sole(self, node: cst.CSTNode, site: Site) -> Definition | None:
        """The one definition that gives a name its value here; None where there are several or none."""
        name = dotted(node)
        if name is None:
            return None
        found, _ = self.reaching(name, site)
        values = [d for d in found if d.how in ("assign", "param") and d.value is not None]
        return found[0] if len(found) == 1 and len(values) == 1 else None

    def follow(self, node: cst.BaseExpression, site: Site) -> Iterator[tuple[cst.BaseExpression, Site]]:
        """The expression, then what it stands for, hop by hop, as long as each hop is certain."""
        for _ in range(MAX_HOPS):
            yield node, site
            definition = self.sole(node, site)
            if definition is None or definition.value is None:
                return
            node, site = definition.value, site_of(definition)

    # Names and numbers

    def aliases(self, node: cst.BaseExpression, site: Site) -> frozenset[str]:
        """All names under which the value of an expression is known."""
        names: set[str] = set()
        for each, _ in self.follow(_plain(node), site):
            each = _plain(each)
            name = dotted(each)
            if name:
                names.add(name)
                names |= {text(each)} if isinstance(each, cst.Subscript) else set()  # with the author's quotes
            elif isinstance(each, cst.Call):
                name = _mapping_get(each)
                if name:
                    names.add(name)
        return frozenset(names)

    def number(self, node: cst.BaseExpression, site: Site, hops: int = 0) -> float | None:
        """The number that an expression is known to be."""
        for each, where in self.follow(node, site):
            value = literal(self.entry(each, where))
            if isinstance(each, cst.BinaryOperation) and hops < MAX_HOPS:
                left, right = (self.number(side, where, hops + 1) for side in (each.left, each.right))
                value = arithmetic(each.operator, left, right) if left is not None and right is not None else value
            # An infinity counts nothing, and an integer of a thousand digits fits no float.
            if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15:
                return value
        return None

    def entry(self, node: cst.BaseExpression, site: Site) -> cst.BaseExpression:
        """What stands in a dictionary that is written out, and never written to, under the key of a subscript."""
        if not isinstance(node, cst.Subscript) or len(node.slice) != 1 or dotted(node) is None:
            return node
        index = node.slice[0].slice
        key = literal(index.value) if isinstance(index, cst.Index) else None
        whole = self.sole(node.value, site)
        if key is None or whole is None or not isinstance(whole.value, cst.Dict) or self.all_of(dotted(node) or "", site.frame):
            return node
        entries = [e.value for e in whole.value.elements if isinstance(e, cst.DictElement) and literal(e.key) == key]
        return entries[-1] if entries else node

    def steps(self, node: cst.BaseExpression, site: Site) -> Steps:
        """N, as an expression gives it: its text, all its names, and its number where that is known and whole."""
        number = self.number(node, site)
        value = int(number) if number is not None and float(number).is_integer() else None
        return Steps(text(node), self.aliases(node, site) | {text(node)}, value)

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
        for definition in self.reaching(name, site)[0]:
            role = self.role_of_definition(definition, hops)
            if role is not None:
                return role
        role = self.words.role_of_spelling(last_name(node) or "")
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
        for definition in self.reaching(name, site)[0] if name else ():
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


def same_steps(a: frozenset[str], b: frozenset[str], words: Taught) -> bool:
    """Whether two sets of aliases can mean one accumulation setting; lenient where both spell it."""
    if a & b:
        return True
    ends = {name.rsplit(".", 1)[-1] for name in a if words.spells_steps(name)}
    return bool(ends & {name.rsplit(".", 1)[-1] for name in b})


def _plain(node: cst.BaseExpression) -> cst.BaseExpression:
    """The expression inside `int(x)`, `float(x)`, `max(1, x)`, `max(x, 1)`: the same count."""
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Name):
        name, args = node.func.value, [arg.value for arg in node.args if arg.keyword is None]
        if name in ("int", "float") and len(args) == 1:
            node = args[0]
        elif name == "max" and len(args) == 2 and literal(args[0]) == 1:
            node = args[1]
        elif name == "max" and len(args) == 2 and literal(args[1]) == 1:
            node = args[0]
        else:
            break
    return node


def _mapping_get(call: cst.Call) -> str | None:
    """`cfg.get("accum", 1)` is known as `cfg.accum`."""
    if last_name(call.func) == "get" and isinstance(call.func, cst.Attribute):
        key = argument(call, 0, "key")
        value = literal(key) if key is not None else None
        base = dotted(call.func.value)
        return f"{base}.{value}" if isinstance(value, str) and base else None
    if isinstance(call.func, cst.Name) and call.func.value == "getattr" and len(call.args) >= 2:
        value = literal(call.args[1].value)
        base = dotted(call.args[0].value)
        return f"{base}.{value}" if isinstance(value, str) and base else None
    return None


def _unoptional(node: cst.BaseExpression) -> cst.BaseExpression:
    if isinstance(node, cst.BinaryOperation):
        return node.left
    if isinstance(node, cst.Subscript) and last_name(node.value) == "Optional":
        index = node.slice[0].slice
        return index.value if isinstance(index, cst.Index) else node
    return node
