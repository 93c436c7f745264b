"""Items of values: what they hold under an index, a key or a slice, and how that changes."""

from __future__ import annotations

import contextlib
from typing import Any

import libcst as cst

from gradlint.simulate.attributes import part_of
from gradlint.simulate.callables import ClassValue, DefaultDict, External, Function, Instance
from gradlint.simulate.comparisons import compare
from gradlint.simulate.contents import is_data
from gradlint.simulate.iteration import part_of_list
from gradlint.simulate.machine import Machine
from gradlint.simulate.stated import entry
from gradlint.simulate.things import Loader, Parameter, Thing
from gradlint.simulate.trace import SHORT
from gradlint.simulate.unknown import models_in, unknown
from gradlint.simulate.values import OTHERS, TABLE, Beginning, Num, Opaque, Tensor, number, whole


def get_item(machine: Machine, value: Any, index: Any, node: cst.CSTNode) -> Any:
    """`value[index]`."""
    if isinstance(value, (list, tuple, str, range)):
        return _of_sequence(machine, value, index, node)
    if isinstance(value, dict):
        return _of_dict(machine, value, index)
    if is_data(value):
        return _cut(machine, value, index, node)
    if type(value) is Opaque:
        batches = part_of_list(machine, value, index) if isinstance(index, slice) else None
        if batches is not None:
            return batches
        key = plain(index)
        text = repr(key) if isinstance(key, (str, int)) else "..."
        if isinstance(key, (str, int)) and key in value.kept:
            return value.kept[key]
        stated = entry(machine, value, key, f"[{text}]") if TABLE in value.kept else None
        if stated is not None:
            return stated
        item = unknown(machine, f"{value.identity}[{text}]", models=models_in(value, f"[{text}]"))
        if type(item) is Opaque and "<optimizer>" in value.kept:
            item.kept["<optimizer>"] = value.kept["<optimizer>"]  # an item of a result may be the optimizer that was passed in
        return item
    if isinstance(value, Thing):
        key = f"[{plain(index)!r}]"
        if key in value.kept:
            return value.kept[key]
        return Tensor(machine.current()) if isinstance(value, Loader) else unknown(machine, f"{value.identity}{key}")
    if isinstance(value, Instance):
        found, method = value.cls.lookup("__getitem__")
        if found:
            from gradlint.simulate.calling import call

            return call(machine, method, [value, index], {}, node)
    if isinstance(value, External) and isinstance(index, str) and value.last[:1].isupper():
        return External(f"{value.path}.{index}")  # a member of an enumeration
    return Opaque("an item")


def _cut(machine: Machine, value: Tensor, index: Any, node: cst.CSTNode) -> Any:
    """An item of data, or a slice of a batch. A slice that starts elsewhere is another batch."""
    if is_data(index) and value.terms is None and not index.draws <= value.draws:
        return Tensor(value.draws | index.draws)  # rows that other data select
    start = number(index.start) if isinstance(index, slice) else None
    if isinstance(index, tuple) and value.terms is None:
        return _stretch(machine, value, index, node)
    if value.terms is not None or start is None or number(index.stop) == -1:
        return part_of(machine, value, plain(index), node)
    from gradlint.simulate.iteration import piece

    key = ("from", start)
    if key not in value.kept:
        value.kept[key] = piece(machine, value)
    return value.kept[key]


def _stretch(machine: Machine, value: Tensor, index: tuple[Any, ...], node: cst.CSTNode) -> Any:
    """A part of each sample, if a loop backpropagates the parts one by one. They all belong to one micro-batch."""
    starts = (each.start for each in index if isinstance(each, slice))
    start = next((int(each) for each in starts if type(each) is Beginning), None)
    if start is None or not machine.loops or not machine.compiler.aims.of(getattr(machine.loops[-1], "body", None)).leads:
        return part_of(machine, value, plain(index), node)
    key = ("along", start)
    if key not in value.kept:
        value.kept[key] = Tensor(value.draws | {machine.stretch_of(value.draws)}, None, value.models, detached=value.detached)
    return value.kept[key]


def plain(index: Any) -> Any:
    """An index without the settings that it depends on."""
    if type(index) is Num:
        return index.value
    if isinstance(index, tuple):
        return tuple(plain(each) for each in index)
    if isinstance(index, slice):
        return "a slice"
    return index if isinstance(index, (str, int, float, bool, type(None), Parameter)) else "?"


def _of_sequence(machine: Machine, value: Any, index: Any, node: cst.CSTNode) -> Any:
    if isinstance(index, slice):
        bounds = [number(each) if each is not None else None for each in (index.start, index.stop, index.step)]
        if any(
            bound is None and each is not None for bound, each in zip(bounds, (index.start, index.stop, index.step), strict=True)
        ):
            return value
        try:
            return value[slice(*(whole(bound) if bound is not None else None for bound in bounds))]
        except (TypeError, ValueError):
            return value
    at = number(machine.number_of(index))
    if at is None:
        return value[0] if len(value) else Opaque("an item")
    try:
        return value[whole(at)]
    except IndexError:
        machine.risks.add(SHORT)
        return Opaque("an item")


def _of_dict(machine: Machine, value: dict[Any, Any], index: Any) -> Any:
    key = plain(index)
    try:
        if key in value:
            return value[key]
    except TypeError:
        pass
    named = _entry_named(machine, value, index)
    if named is not None:
        return value[named]
    if OTHERS in value:
        return value[OTHERS]
    if isinstance(value, DefaultDict):
        made = value.default()
        with contextlib.suppress(TypeError):  # a key that cannot be one
            value[key] = made
        return made
    return unknown(machine, f"an item {key!r} of container {machine.told_apart(value)}")


def _entry_named(machine: Machine, value: dict[Any, Any], index: Any) -> str | None:
    """The key that a setting selects in a table of functions or classes, as if it were compared with each key."""
    if type(index) is not Opaque or not all(isinstance(key, str) for key in value):
        return None
    if not all(isinstance(each, (External, Function, ClassValue)) for each in value.values()):
        return None
    return next((key for key in value if compare(machine, cst.Equal, index, key) is True), None)


def set_item(machine: Machine, value: Any, index: Any, new: Any, node: cst.CSTNode) -> None:
    """`value[index] = new`."""
    key = plain(index)
    if isinstance(value, dict):
        value[key] = new
    elif isinstance(value, list):
        if isinstance(key, int) and -len(value) <= key < len(value):
            value[key] = new
    elif isinstance(value, (Opaque, Tensor)):
        value.kept[key] = new
    elif isinstance(value, Thing):
        value.kept[f"[{key!r}]"] = new
    elif isinstance(value, Instance):
        found, method = value.cls.lookup("__setitem__")
        if found:
            from gradlint.simulate.calling import call

            call(machine, method, [value, index, new], {}, node)


def delete(machine: Machine, value: Any, index: Any) -> None:
    """`del value[index]`."""
    key = plain(index)
    if isinstance(value, dict):
        value.pop(key, None)
    elif isinstance(value, list):
        if isinstance(index, slice):
            value.clear()
        elif isinstance(key, int) and -len(value) <= key < len(value):
            del value[key]
