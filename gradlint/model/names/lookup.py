"""Answers questions about names: which definitions reach a place, what an expression is also called, what number it is."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.data.window import Steps
from gradlint.model.names.records import Definition, Frame, Site, Trace, site_of
from gradlint.model.names.vocabulary import Taught
from gradlint.model.syntax.expressions import argument, arithmetic, dotted, last_name, literal, text
from gradlint.model.syntax.paths import Path, exclusive

MAX_HOPS = 8


def dominates(inner: Path, outer: Path) -> bool:
    """True where code at `inner` has surely run when code at `outer` runs later (loops are taken to run)."""
    decisions = [(guard.group, guard.arm) for guard in inner if guard.kind in ("branch", "handler")]
    return not decisions or {(guard.group, guard.arm) for guard in outer}.issuperset(decisions)


class Lookup:
    """Look-ups of names over one trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.words = trace.facts.words
        self._assigned: dict[int, dict[str | None, list[cst.Assign]]] = {}

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

    def given(self, name: str, site: Site) -> list[Definition]:
        """What gives a name its value at a place, by an assignment of any kind."""
        return [d for d in self.reaching(name, site)[0] if d.how in ("assign", "unpack", "augment")]

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
            value = literal(self.entry(each, where)[0])
            if isinstance(each, cst.BinaryOperation) and hops < MAX_HOPS:
                left, right = (self.number(side, where, hops + 1) for side in (each.left, each.right))
                value = arithmetic(each.operator, left, right) if left is not None and right is not None else value
            # An infinity counts nothing, and an integer of a thousand digits fits no float.
            if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15:
                return value
        return None

    def entry(self, node: cst.BaseExpression, site: Site) -> tuple[cst.BaseExpression, Site]:
        """What stands in a dictionary that is written out, and never written to, under the key of a subscript, and where."""
        index = node.slice[0].slice if isinstance(node, cst.Subscript) and len(node.slice) == 1 else None
        key = literal(index.value) if isinstance(index, cst.Index) else None
        known = self.entry_of(node.value, key, site) if isinstance(node, cst.Subscript) and isinstance(key, (str, int)) else None
        return known or (node, site)

    def entry_of(self, mapping: cst.BaseExpression, key: str | int, site: Site) -> tuple[cst.BaseExpression, Site] | None:
        """The same for a dictionary and a key; None where it has no such key, or may have been changed."""
        name, whole = dotted(mapping), self.sole(mapping, site)
        if name is None or whole is None or any(self.all_of(f"{name}[{item}]", site.frame) for item in (repr(key), "*")):
            return None
        if any(_changes(call.call, name) for call in self.trace.calls if call.frame is site.frame):
            return None
        entries: list[cst.BaseExpression] = []
        if isinstance(whole.value, cst.Dict):
            entries = [e.value for e in whole.value.elements if isinstance(e, cst.DictElement) and literal(e.key) == key]
        elif isinstance(whole.value, cst.Call) and dotted(whole.value.func) == "dict":
            entries = [arg.value for arg in whole.value.args if arg.keyword is not None and arg.keyword.value == key]
        return (entries[-1], site_of(whole)) if entries else None

    def steps(self, node: cst.BaseExpression, site: Site) -> Steps:
        """N, as an expression gives it: its text, all its names, and its number where that is known and whole."""
        number = self.number(node, site)
        value = int(number) if number is not None and float(number).is_integer() else None
        return Steps(text(node), self.aliases(node, site) | {text(node)}, value)


def same_steps(a: frozenset[str], b: frozenset[str], words: Taught) -> bool:
    """Whether two sets of aliases can mean one accumulation setting; lenient where both spell it."""
    if a & b:
        return True
    ends = {name.rsplit(".", 1)[-1] for name in a if words.spells_steps(name)}
    return bool(ends & {name.rsplit(".", 1)[-1] for name in b})


def _changes(call: cst.Call, name: str) -> bool:
    """`settings.update(...)`, `settings.pop(...)`."""
    method = call.func.attr.value if isinstance(call.func, cst.Attribute) else ""
    return method in ("update", "pop", "setdefault", "clear", "popitem") and dotted(getattr(call.func, "value", call)) == name


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
