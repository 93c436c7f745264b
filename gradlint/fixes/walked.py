"""Finds the iterable of a loop, to take its length: `for i, batch in enumerate(tqdm(loader))` iterates `loader`."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.fixes.places import Places
from gradlint.model.names.vocabulary import WRAPS_ITERABLE
from gradlint.model.syntax.expressions import dotted, last_name, text

_WALKS = frozenset(("enumerate", "iter", "list")) | WRAPS_ITERABLE
_ENDLESS = frozenset(("cycle", "count", "repeat"))
_HOPS = 4


def walked_by(node: cst.CSTNode, places: Places) -> str | None:
    """The name to pass to `len()` for a pass that begins at a loop or a call. None if the iterable has no name."""
    found = _behind(node.iter if isinstance(node, cst.For) else node, places, _HOPS)
    return text(found) if found is not None and dotted(found) is not None else None


def _behind(node: cst.CSTNode, places: Places, hops: int) -> cst.CSTNode | None:
    if isinstance(node, cst.Call):
        inner = _given(node)
        return _behind(inner, places, hops) if inner is not None else None
    if isinstance(node, cst.Name) and hops:
        given = list(_values(node, places))
        if len(given) == 1 and isinstance(given[0], cst.Call) and _given(given[0]) is not None:
            return _behind(given[0], places, hops - 1)
    return node


def _given(call: cst.Call) -> cst.BaseExpression | None:
    """The argument that a call iterates unchanged."""
    name = last_name(call.func)
    if name == "zip":
        ending = [each.value for each in call.args if not (isinstance(each.value, cst.Call) and _goes_on(each.value))]
        return ending[0] if len(ending) == 1 else None
    if name not in _WALKS:
        return None
    told = next((each.value for each in call.args if each.keyword is not None and each.keyword.value == "iterable"), None)
    return call.args[0].value if call.args and call.args[0].keyword is None else told


def _goes_on(call: cst.Call) -> bool:
    return last_name(call.func) in _ENDLESS


def _values(name: cst.Name, places: Places) -> Iterator[cst.BaseExpression]:
    """The values assigned to a name in its function, or in the module."""
    function = places.function_of(name)
    for around in (function,) if function is not None else places.module:
        for each in places.below(around, cst.Assign):
            if any(_is(name, target.target) for target in each.targets) and places.function_of(each) is function:
                yield each.value
        for item in places.below(around, cst.WithItem):
            if item.asname is not None and _is(name, item.asname.name) and places.function_of(item) is function:
                yield item.item


def _is(name: cst.Name, target: cst.CSTNode) -> bool:
    return isinstance(target, cst.Name) and target.value == name.value
