"""Compiles the left-hand sides of assignments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import Role
from gradlint.model.syntax.expressions import last_name
from gradlint.simulate.attributes import set_attribute
from gradlint.simulate.callables import Frame
from gradlint.simulate.contents import is_data
from gradlint.simulate.items import set_item
from gradlint.simulate.iteration import items_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Optimizer, Schedule
from gradlint.simulate.unknown import adopt
from gradlint.simulate.values import OVER_ROWS, Factor, Opaque, Pieces

_COUNT = re.compile(r"(^|_)(count|num|ntokens|num_tokens|n_tokens|sample_size|num_samples|n_samples|datapoints)$")
"""Names for the number of rows that a loss is summed over."""

Assign = Callable[[Frame, Any], None]


def assign(node: cst.CSTNode) -> Assign:
    """The closure that assigns a value to a target."""
    from gradlint.simulate.expressions import expression, subscript_index

    if isinstance(node, cst.Name):
        name = node.value
        return lambda frame, value: frame.bind(name, adopt(frame.machine, name, value))
    if isinstance(node, cst.Attribute):
        owner, name = expression(node.value), node.attr.value
        return lambda frame, value: set_attribute(frame.machine, owner(frame), name, adopt(frame.machine, name, value), node)
    if isinstance(node, cst.Subscript):
        owner, index = expression(node.value), subscript_index(node)
        return lambda frame, value: set_item(frame.machine, owner(frame), index(frame), value, node)
    if isinstance(node, (cst.Tuple, cst.List)):
        return _unpack(node)
    if isinstance(node, cst.StarredElement):
        return assign(node.value)
    return lambda frame, value: None


def _unpack(node: cst.Tuple | cst.List) -> Assign:
    parts = [assign(each.value) for each in node.elements]
    names = [last_name(each.value) or "" for each in node.elements]
    counted = any(map(_COUNT.search, names))
    starred = next((place for place, each in enumerate(node.elements) if isinstance(each, cst.StarredElement)), None)

    def run(frame: Frame, value: Any) -> None:
        values = _values(frame, value, names, node)
        if starred is not None:
            after = len(parts) - starred - 1
            middle = list(values[starred : len(values) - after])
            values = [*values[:starred], middle, *values[len(values) - after :]]
        if counted:  # a loss that comes with a count still has to be divided by it
            values = [each.scaled_by(Factor(doubt=OVER_ROWS)) if is_data(each) else each for each in values]
        if isinstance(value, Schedule):  # a function that builds a schedule may return it with other things, as timm's do
            values = [value if _is_schedule(frame, name) else Opaque(f"an item {name}") for name in names]
        for part, each in zip(parts, [*values, *(Opaque("an item") for _ in parts)], strict=False):
            part(frame, each)

    return run


def _is_schedule(frame: Frame, name: str) -> bool:
    """Whether a name is that of a schedule, or of several."""
    return frame.machine.words.role_of_spelling(name.removesuffix("s")) is Role.SCHEDULER


def _use_together(machine: Machine, pieces: Pieces) -> None:
    """Join the pieces of a batch that get a name each, such as two views of the images. Only a loop trains on them one by one."""
    for drawn in (drawn for each in pieces if each.terms is None for drawn in each.draws):
        whole = machine.pieces[drawn]
        machine.together[drawn] = machine.together.get(whole, whole)


def _values(frame: Frame, value: Any, names: Sequence[str], node: cst.CSTNode) -> list[Any]:
    """The parts of a value that is unpacked into some names. The parts of data belong to the same piece."""
    count = len(names)
    if isinstance(value, (list, tuple)):
        if isinstance(value, Pieces):
            _use_together(frame.machine, value)
        return list(value)
    if is_data(value):
        from gradlint.simulate.attributes import part_of

        return [part_of(frame.machine, value, place, node) for place in range(count)]
    if type(value) is Opaque:
        from gradlint.simulate.items import get_item

        return [get_item(frame.machine, value, place, node) for place in range(count)]
    if isinstance(value, Optimizer) and value.node is None:  # several optimizers under one name: the same ones each time
        parts = (name if _is_schedule(frame, name) else f"{value.identity}[{place}]" for place, name in enumerate(names))
        return [value.kept.setdefault(("part", place), Opaque(part)) for place, part in enumerate(parts)]
    return list(islice(items_of(frame.machine, value, node), count))
