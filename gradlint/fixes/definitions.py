"""Finds the single definition of a name, an attribute or a dictionary entry, and the code that reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.fixes.places import Places, bound_by
from gradlint.model.syntax.expressions import dotted, keywords, last_name, literal, subnodes, walk


@dataclass(frozen=True, eq=False)
class Definition:
    """A name that is read at a node, and the only value that the text assigns to it."""

    read: cst.CSTNode
    name: str
    value: cst.BaseExpression


def names_in(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The names that a value is computed from, with their attributes and entries, but without callees."""
    if dotted(node) is not None:
        yield node
    elif isinstance(node, cst.Call):
        for arg in node.args:
            yield from names_in(arg.value)
    else:
        for child in subnodes(node):
            yield from names_in(child)


class Definitions:
    """The names of a text that have a single value."""

    def __init__(self, statements: Sequence[cst.BaseStatement]) -> None:
        self.places = Places(statements)
        self._nodes = [each for statement in statements for each in walk(statement)]
        self._rank = {id(each): rank for rank, each in enumerate(self._nodes)}

    def of(self, node: cst.CSTNode, entry: str = "") -> Definition | None:
        """The value of a name, or of an entry of the dictionary that it names."""
        key = dotted(node)
        if key is None:
            return None
        key += f"[{entry!r}]" if entry else ""
        owner, _, item = key.partition("[")
        scope = self._scope(owner, self.places.function_of(node))
        if scope is None:
            return None
        found = [each for each in self._assigned if self._is(each, key, owner, scope)]
        if len(found) == 1:
            return Definition(node, key, found[0].value)
        if not item or found:
            return None
        built = [each for each in self._assigned if self._is(each, owner, owner, scope)]
        value = _entry(built[0].value, key) if len(built) == 1 else None
        return Definition(node, key, value) if value is not None else None

    def read_alone(self, each: Definition, readers: Sequence[cst.CSTNode]) -> bool:
        """Whether only some nodes read a name, directly or through names that only they read."""
        owner, _, item = each.name.partition("[")
        last = owner.rpartition(".")[2]
        inside = {id(node) for reader in readers for node in walk(reader)}
        if item:
            entry = literal(cst.parse_expression(item.rpartition("]")[0]))
            others = [node for node in self._strings if node.evaluated_value == entry and id(node) not in inside]
            bare = [node for node in self._reads(owner) if id(node) not in inside and id(node) not in self._indexed]
            return len(others) <= 1 and not bare
        scope = self._scope(owner, self.places.function_of(each.read)) if owner == last else self.places.module
        reads = self._reads(owner) if owner == last else self._attributes(last)
        within = {id(node) for statement in scope or () for node in walk(statement)}
        strangers = [node for node in reads if id(node) in within and id(node) not in inside]
        return all(self._passed_on(node, readers) for node in strangers)

    def _passed_on(self, node: cst.CSTNode, readers: Sequence[cst.CSTNode], hops: int = 4) -> bool:
        """Whether a node is part of the value of another name that only some nodes read."""
        line = self.places.line_of(node)
        small = line.body[0] if line is not None else None
        if not isinstance(small, cst.Assign) or len(small.targets) != 1 or not isinstance(small.targets[0].target, cst.Name):
            return False
        name, scope = small.targets[0].target.value, self._scope(small.targets[0].target.value, self.places.function_of(node))
        inside = {id(part) for reader in readers for part in walk(reader)}
        within = {id(part) for statement in scope or () for part in walk(statement)}
        strangers = [each for each in self._reads(name) if id(each) in within and id(each) not in inside]
        return scope is not None and hops > 0 and all(self._passed_on(each, readers, hops - 1) for each in strangers)

    def behind(self, node: cst.CSTNode) -> set[str]:
        """All names that a value may be computed from, over every assignment to them."""
        found: set[str] = set()
        nodes = [node]
        for each in nodes:
            fresh = {key for part in names_in(each) if (key := dotted(part)) is not None} - found
            found |= fresh
            nodes += [line.value for line in self._assigned if dotted(line.targets[0].target) in fresh]
        return found

    def unchanged(self, name: str, start: cst.CSTNode, end: cst.CSTNode) -> bool:
        """Whether a name has the same value at two nodes of a function, `start` being the earlier one."""
        function = self.places.function_of(start)
        if self.places.function_of(end) is not function:
            return False
        ranks = self._rank[id(start)], self._rank[id(end)]
        if any(isinstance(each, (cst.For, cst.While)) for node in (start, end) for each in self.places.around(node)):
            return False
        root = name.partition(".")[0].partition("[")[0]
        bound = [each for each in self._nodes if self.places.function_of(each) is function and root in bound_by(each)]
        return not any(ranks[0] < self._rank[id(each)] < ranks[1] for each in bound)

    def _scope(self, owner: str, function: cst.FunctionDef | None) -> Sequence[cst.CSTNode] | None:
        """The nodes among which a name is bound. None if it is a parameter, or bound by anything but an assignment."""
        if "." in owner:
            return self.places.module
        while function is not None:
            bound = [each for each in walk(function) if owner in bound_by(each)]
            if bound:
                plain = all(isinstance(each, cst.AssignTarget) for each in bound)
                return (function,) if plain else None
            function = self.places.function_of(function)
        return self.places.module

    def _is(self, each: cst.Assign, key: str, owner: str, scope: Sequence[cst.CSTNode]) -> bool:
        if dotted(each.targets[0].target) != key:
            return False
        holder = self.places.function_of(each)
        if "." in owner:
            return True
        return holder is scope[0] if len(scope) == 1 and isinstance(scope[0], cst.FunctionDef) else holder is None

    @cached_property
    def _assigned(self) -> list[cst.Assign]:
        return [each for each in self._nodes if isinstance(each, cst.Assign) and len(each.targets) == 1]

    @cached_property
    def _strings(self) -> list[cst.SimpleString]:
        return [each for each in self._nodes if isinstance(each, cst.SimpleString)]

    @cached_property
    def _indexed(self) -> set[int]:
        return {id(each.value) for each in self._nodes if isinstance(each, cst.Subscript)}

    @cached_property
    def _not_read(self) -> set[int]:
        """Names that are not reads: targets of assignments, keywords of arguments, attributes and parameters."""
        found: set[int] = set()
        for each in self._nodes:
            if isinstance(each, cst.AssignTarget):
                found.add(id(each.target))
            elif isinstance(each, cst.Arg) and each.keyword is not None:
                found.add(id(each.keyword))
            elif isinstance(each, cst.Attribute):
                found.add(id(each.attr))
            elif isinstance(each, cst.Param):
                found.add(id(each.name))
        return found

    def _reads(self, name: str) -> Iterator[cst.CSTNode]:
        yield from (each for each in self._nodes if dotted(each) == name and id(each) not in self._not_read)

    def _attributes(self, last: str) -> Iterator[cst.CSTNode]:
        kinds = (each for each in self._nodes if isinstance(each, cst.Attribute) and id(each) not in self._not_read)
        yield from (each for each in kinds if last_name(each) == last)


def _entry(value: cst.BaseExpression, key: str) -> cst.BaseExpression | None:
    """An entry of a dictionary literal or a `dict()` call."""
    name = literal(cst.parse_expression(key.partition("[")[2].rpartition("]")[0]))
    if isinstance(value, cst.Call) and last_name(value.func) == "dict":
        return keywords(value).get(str(name))
    pairs = [each for each in value.elements if isinstance(each, cst.DictElement)] if isinstance(value, cst.Dict) else []
    return next((each.value for each in pairs if literal(each.key) == name), None)
