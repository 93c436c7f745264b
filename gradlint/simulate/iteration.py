"""Iterates over values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import Role
from gradlint.simulate.callables import Instance, Stream
from gradlint.simulate.contents import draws_in, is_data
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Loader, Optimizer, Parameter, Scaler, Schedule, Thing
from gradlint.simulate.trace import What
from gradlint.simulate.unknown import SEVERAL_MODELS, unknown
from gradlint.simulate.values import (
    EACH_OF,
    IN_WINDOWS,
    WALKS,
    Answer,
    Factor,
    Num,
    Opaque,
    Tensor,
    in_order,
    number,
    settings_of,
    whole,
)
from gradlint.simulate.world import spells_setting

ENDLESS = 10_000
"""The length of an endless stream. The run is over long before."""

_FIELDS = 4
"""The number of fields if a batch is unpacked."""


def items_of(machine: Machine, value: Any, node: cst.CSTNode) -> Iterator[Any]:
    """The items of an iterable."""
    if isinstance(value, (set, frozenset)):
        return iter(in_order(value))
    if isinstance(value, (list, dict)):
        return iter(list(value))
    if isinstance(value, (tuple, str)):
        return iter(value)
    if isinstance(value, range):
        return iter(value)
    if isinstance(value, Stream):
        return value.items
    if isinstance(value, Loader):
        return batches(machine, value, node)
    if isinstance(value, Parameter):
        return iter([value])
    if is_data(value):
        return _pieces(machine, value, node) if WALKS not in value.kept else items_of(machine, value.kept[WALKS], node)
    if isinstance(value, Instance):
        return _of_instance(machine, value, node)
    if type(value) is Opaque:
        return _of_opaque(machine, value, node)
    apart = isinstance(node, (cst.Tuple, cst.List))  # each item gets a separate name
    if not apart and _stands_for_several(machine, value):
        return iter([value])  # one object represents all those under a name: they are the same on every iteration
    if isinstance(value, (Thing, Answer)):
        return iter([Opaque("an item")])
    return iter([])


def _of_opaque(machine: Machine, value: Opaque, node: cst.CSTNode) -> Iterator[Any]:
    """The items of something unknown, which usually is data. Settings, optimizers and models are persistent objects instead."""
    if "param" in value.last.lower() and not value.has_default:
        return iter([Parameter(owner=value)])
    role = machine.words.role_of_spelling(value.last.removesuffix("s"))
    if role in _OF_TRAINING:
        return iter([unknown(machine, f"{value.identity}[0].{value.last.removesuffix('s')}")])
    is_apart = not machine.loops and isinstance(node, cst.BaseComp)
    if SEVERAL_MODELS.search(value.last):
        return iter([unknown(machine, f"{value.identity}[0].model")])
    if _lists_files(machine, value, node) or ((is_apart or spells_setting(value.identity)) and not _DATA.search(value.identity)):
        return iter([unknown(machine, f"{value.identity}[{place}]") for place in range(2)])
    key = ("walked", None)
    loader = value.kept.get(key)
    if loader is None:
        loader = value.kept[key] = loader_of(machine, value)
    return batches(machine, loader, node)


def entries(machine: Machine, value: Any, name: str, node: cst.CSTNode) -> list[Any] | None:
    """The result of `values`, `items` or `keys` on a mapping of optimizers, models and the like; None for other objects."""
    if name not in _ENTRIES or not _stands_for_several(machine, value):
        return None
    each = list(items_of(machine, value, node))
    key = Opaque("a name")
    return each if name == "values" else [key] if name == "keys" else [(key, one) for one in each]


def _stands_for_several(machine: Machine, value: Any) -> bool:
    if isinstance(value, (Optimizer, Schedule, Scaler)):
        return value.node is None
    if type(value) is not Opaque:
        return False
    return (
        SEVERAL_MODELS.search(value.last) is not None
        or machine.words.role_of_spelling(value.last.removesuffix("s")) in _OF_TRAINING
    )


def _lists_files(machine: Machine, value: Opaque, node: cst.CSTNode) -> bool:
    """Whether this iterates over file names outside of any loop, without a backward pass: it happens before training."""
    leads = isinstance(node, cst.For) and machine.compiler.aims.of(node.body).leads
    return not (machine.in_loop or leads) and _FILES.search(value.identity) is not None


_OF_TRAINING = (Role.OPTIMIZER, Role.SCHEDULER, Role.SCALER, Role.EMA)
_ENTRIES = frozenset(("values", "items", "keys"))
_FILES = re.compile(r"(^|\.)(listdir|scandir|glob|iglob|rglob|iterdir)\(")
"""Calls that list files, whatever the folder is called."""
_DATA = re.compile(r"data|loader|batch|sample|iter|train(?!_?(arg|conf|opt))|set$", re.I)


def loader_of(machine: Machine, value: Opaque) -> Loader:
    """The data that an unknown object holds. Its name decides whether they are finite, endless, or possibly both.

    The result of a call may walk over an argument: `log_every(data_loader, 20)`.
    """
    spelled = value.last.removesuffix("()")
    role = machine.words.role_of_spelling(spelled) or machine.words.role_of_spelling(
        value.identity[value.identity.find(spelled) :]
    )
    finite = True if role is Role.LOADER else False if role is Role.ENDLESS else None
    return Loader(value.identity, None, finite=finite, in_windows=IN_WINDOWS in value.kept)


def _of_instance(machine: Machine, value: Instance, node: cst.CSTNode) -> Iterator[Any]:
    from gradlint.simulate.calling import call

    found, method = value.cls.lookup("__iter__")
    if found:
        made = call(machine, method, [value], {}, node)
        if made is not value:
            yield from items_of(machine, made, node)
            return
    found, method = value.cls.lookup("__next__")
    if found:
        from gradlint.simulate.stops import Raised

        while True:
            try:
                item = call(machine, method, [value], {}, node)
            except Raised as raised:
                if raised.name == "StopIteration":
                    return
                raise
            yield item
        return
    loader = value.names.get("<walked>")
    if loader is None:
        finite = not any("Iterable" in base for base in value.cls.outside)
        loader = value.names["<walked>"] = Loader(value.cls.name, node, finite=finite)
    yield from batches(machine, loader, node)


_ENDS = {True: "", False: "endless", None: "unknown"}


def batches(machine: Machine, loader: Loader, node: cst.CSTNode) -> Iterator[Any]:
    """One pass over data. Each batch is new, and the end of the pass is an event."""
    count = length_of(machine, loader)
    machine.note(
        What.PASS,
        node,
        value=Factor(float(number(count) or 0), settings_of(count)),
        text=loader.identity,
        through=IN_WINDOWS if loader.in_windows else _ENDS[loader.finite],
        sized=loader.sized,
        rows=loader.rows,
    )
    last = ENDLESS if loader.finite is False else whole(count)
    for place in range(last):
        loader.at_end = place + 1 == last
        drawn = machine.draw()
        if isinstance(node, cst.BaseComp) and not machine.in_loop:
            machine.listed[drawn] = f"{EACH_OF}{loader.identity})"
        yield Tensor(frozenset((drawn,)))
    loader.at_end = False
    machine.note(What.END, node, text=loader.identity)


def put_beside(machine: Machine, stream: Stream, item: Any) -> Any:
    """Combine the items that several streams give in one iteration into one micro-batch, such as source and target images."""
    draws = draws_in(item)
    iteration = tuple(map(id, machine.loops)), machine.turns.get(len(machine.loops))
    if draws and machine.loops:
        first, drawn = machine.beside.setdefault(iteration, (stream, max(draws)))
        if first is not stream:
            machine.together.update(dict.fromkeys(draws, drawn))
    return item


def walked_as(value: Any) -> Loader | None:
    """The loader that a value became when it was iterated over, if it was."""
    loader = value.kept.get(("walked", None)) if type(value) is Opaque else value
    return loader if isinstance(loader, Loader) else None


def length_of(machine: Machine, loader: Loader) -> Any:
    """How many batches a pass has."""
    if loader.length is None:
        loader.length = Num(machine.world.length, frozenset((f"len({loader.identity})",)))
    if loader.in_windows:
        machine.in_windows |= settings_of(loader.length)
    return loader.length


def _pieces(machine: Machine, value: Tensor, node: cst.CSTNode) -> Iterator[Any]:
    """The pieces of a batch, N of them; or the parts of a computed value, or the fields of a batch."""
    if isinstance(node, cst.BaseComp):
        return iter([part(value) for _ in range(_FIELDS if value.terms is None else 2)])
    pieces = value.kept.get("<pieces>")
    if pieces is None:
        loop = node if isinstance(node, cst.For) else machine.compiler.numbered.get(id(node))
        is_batch = value.terms is None or (loop is not None and machine.compiler.aims.of(loop.body).leads)
        pieces = [piece(machine, value) if is_batch else part(value) for _ in range(machine.world.n if is_batch else 2)]
        value.kept["<pieces>"] = pieces
    return iter(pieces)


def part(value: Tensor) -> Tensor:
    """One of several losses that were computed together."""
    return Tensor(value.draws, value.terms, value.models, value.scaler, value.detached, value.reduced)


def piece(machine: Machine, value: Tensor) -> Tensor:
    """A part of a batch that is trained on separately."""
    drawn = machine.draw()
    machine.pieces[drawn] = max(value.draws, default=drawn)
    return Tensor(frozenset((drawn,)), value.terms, value.models, value.scaler, value.detached)


_LISTED = frozenset(("len(data in a list)",))


SIZED = "<sized>"
"""Marks an unknown object whose length was taken."""


def part_of_list(machine: Machine, value: Opaque, index: slice) -> list[Any] | None:
    """The batches in a slice of a list; None if the bounds are unknown, or the object may not be a list of batches."""
    start, stop = number(index.start if index.start is not None else 0), number(index.stop)
    if (
        value.kept.keys().isdisjoint((SIZED, ("walked", None)))
        or not machine.in_loop
        or not (isinstance(start, int) and isinstance(stop, int))
        or index.step
    ):
        return None
    return [Tensor(frozenset((machine.draw(),))) for _ in range(start, min(stop, machine.world.length))]


def length(machine: Machine, value: Any) -> Any:
    """`len(value)`."""
    if isinstance(value, (list, tuple)) and draws_in(value):
        return Num(len(value), _LISTED)  # no setting, whatever it is called
    if isinstance(value, (list, tuple, dict, str, set, frozenset, range)):
        return len(value)
    if isinstance(value, Loader):
        return length_of(machine, value)
    if type(value) is Opaque:
        loader = value.kept.get(("walked", None))
        if loader is not None:
            return length_of(machine, loader)
        if machine.words.role_of_spelling(value.last) is not None or "data" in value.last.lower():
            made = value.kept["walked", None] = loader_of(machine, value)
            return length_of(machine, made)
        value.kept[SIZED] = True
        if IN_WINDOWS in value.kept:
            machine.in_windows.add(f"len({value.identity})")
        return Num(machine.world.length, frozenset((f"len({value.identity})",)))
    if is_data(value):
        pieces = value.kept.get("<pieces>")
        listed = {machine.listed.get(each, "") for each in value.draws} if not machine.in_loop else {""}
        if len(listed) == 1 and "" not in listed:
            return Num(machine.world.length, frozenset(listed))
        return len(pieces) if pieces is not None else Tensor(value.draws, None, text="len")
    if isinstance(value, Stream):
        return length(machine, value.source) if value.source is not None else Opaque("a length")
    if isinstance(value, Instance):
        found, method = value.cls.lookup("__len__")
        if found:
            from gradlint.simulate.calling import call

            return call(machine, method, [value], {}, method.node)
        loader = value.names.get("<walked>")
        if loader is None:
            loader = value.names["<walked>"] = Loader(value.cls.name, None, finite=True)
        return length_of(machine, loader)
    return Opaque("a length")
