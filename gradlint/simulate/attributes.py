"""Reads, sets and deletes attributes and items."""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.callables import Bound, ClassValue, External, Function, Instance, ModuleValue
from gradlint.simulate.comparisons import compare
from gradlint.simulate.contents import is_data
from gradlint.simulate.imports import attribute_of_module, module_frame
from gradlint.simulate.iteration import part_of_list
from gradlint.simulate.joined import joined
from gradlint.simulate.machine import Machine
from gradlint.simulate.objects import has_attribute, set_of_thing, thing_attribute, told_by
from gradlint.simulate.reading import gradient_of
from gradlint.simulate.taken import along
from gradlint.simulate.things import Loader, Optimizer, Parameter, Scaler, Thing
from gradlint.simulate.trace import SHORT, What
from gradlint.simulate.unknown import models_in, unknown
from gradlint.simulate.values import NOTHING, OTHERS, SIZES, Answer, Beginning, Factor, Num, Opaque, Source, Tensor, number, whole
from gradlint.simulate.world import known_package, spells_setting

_OF_SHAPE = frozenset(("shape", "device", "dtype", "ndim", "requires_grad", "is_cuda", "names", "itemsize", "nbytes"))

TORCH_NOW = "2.9.1"
"""The PyTorch version that a script sees: branches for old versions are not taken. As a string, it sorts after older ones."""


def get_attribute(machine: Machine, value: Any, name: str, node: cst.CSTNode) -> Any:
    """`value.name`."""
    if isinstance(value, Instance):
        return _of_instance(machine, value, name, node)
    if is_data(value):
        return part_of(machine, value, name, node)
    if isinstance(value, External):
        path = f"{value.path}.{name}"
        if path == "torch.__version__":
            return TORCH_NOW
        return unknown(machine, f"{value.last}.{name}") if spells_setting(path) and not known_package(path) else External(path)
    if isinstance(value, ModuleValue):
        return attribute_of_module(machine, value, name)
    told = told_by(machine, value, name, node)
    if told is not None:
        return told
    if type(value) is Optimizer and name in ("optimizer", "_optimizer"):
        return value  # what it wraps, such as an optimizer with a schedule
    if type(value) is Opaque:
        if name == "grad":
            return gradient_of(machine, value, node)
        if name in value.kept:
            return value.kept[name]
        models = NOTHING if value.identity in ("args", "cfg", "config") else models_in(value, f".{name}")
        return unknown(machine, f"{value.identity}.{name}", models=models)
    if isinstance(value, ClassValue):
        found, kept = value.lookup(name)
        if found:
            return kept if not (isinstance(kept, Function) and kept.is_class) else Bound(value, kept)
        return unknown(machine, f"{value.name}.{name}")
    if isinstance(value, Answer) and name == "data":
        return value
    if isinstance(value, Thing):
        if name in value.kept:
            return value.kept[name]
        if has_attribute(value, name):
            return thing_attribute(machine, value, name, node)
        if isinstance(value, Scaler) and name.startswith("_"):
            # Code that reaches into its state may do what its methods do.
            machine.note(What.CALL, node, handed=frozenset(("scaler",)), text=f"scaler.{name}")
        return Bound(value, name)
    return Bound(value, name)


def _of_instance(machine: Machine, value: Instance, name: str, node: cst.CSTNode) -> Any:
    if name in value.names:
        return value.names[name]
    if name == "__class__":
        return value.cls
    found, kept = value.cls.lookup(name)
    if found:
        if isinstance(kept, Function):
            if kept.is_property:
                from gradlint.simulate.calling import call

                return call(machine, kept, [value], {}, node)
            return kept if kept.is_static else Bound(value.cls if kept.is_class else value, kept)
        return kept
    if _IS_METHOD & {name} and value.cls.outside:
        return Bound(value, name)
    made = unknown(machine, f"{value.identity or value.cls.name}.{name}")
    value.names[name] = made
    return made


_IS_METHOD = frozenset(
    (
        "parameters named_parameters modules children train eval to cuda cpu float half double zero_grad state_dict load_state_dict "
        "requires_grad_ apply manual_backward optimizers lr_schedulers clip_gradients register_buffer toggle_optimizer "
        "untoggle_optimizer"
    ).split()
)


def part_of(machine: Machine, value: Tensor, name: Any, node: cst.CSTNode) -> Any:
    """An attribute or item of data. For an unscaled loss it is a new term, otherwise it is a part of the same one."""
    try:
        kept = value.kept.get(name)
    except TypeError:
        name, kept = repr(name)[:80], None
    if kept is not None:
        return kept
    if name == "requires_grad" and value.terms is not None:
        return not value.detached
    if name in _OF_SHAPE:
        made = along(Tensor(value.draws, None, NOTHING, text=name), None, value)
    elif name == "grad":
        gradient = Source(machine.micro(value.draws), node, NOTHING)
        made = Tensor(value.draws, ((gradient, Factor(doubt="the loss contains a gradient")),))
    elif value.terms is None or value.detached:
        size = value.text if value.text in SIZES else ""
        made = along(
            Tensor(value.draws, value.terms, value.models, value.scaler, value.detached, value.reduced, size), name, value
        )
    elif any(factor.value != 1.0 or factor.doubt for _, factor in value.terms) or name in ("data", "T", "mT"):
        made = Tensor(value.draws, value.terms, value.models, value.scaler, name == "data", value.reduced)
    else:
        own = max((source.micro for source, _ in value.terms or ()), default=None) if not value.draws else None
        made = joined(machine, node, (value,), micro=own)
    value.kept[name] = made
    return made


def set_attribute(machine: Machine, value: Any, name: str, new: Any, node: cst.CSTNode) -> None:
    """`value.name = new`."""
    if isinstance(new, Bound) and new.receiver is value and new.method == name:
        return  # the attribute is set to the method that it already is
    if isinstance(value, (Instance, ClassValue)):
        value.names[name] = new
    elif isinstance(value, ModuleValue) and value.path:
        module_frame(machine, value.path).names[name] = new
    elif isinstance(value, Thing):
        set_of_thing(machine, value, name, new, node)
    elif type(value) is Opaque and name == "grad":
        set_of_thing(machine, Parameter(owner=value), name, new, node)
    elif isinstance(value, (Opaque, Tensor)):
        value.kept[name] = new


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
    default = value.get("<default>")
    if default is not None:
        value[key] = default()
        return value[key]
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
