"""What the settings files of a program say, as values of a run: settings whose defaults are the values in the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import libcst as cst

from gradlint.model.data.settings import LOADERS, Setting, Table, merged
from gradlint.simulate.machine import Machine
from gradlint.simulate.paths import path_of
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import TABLE, UNNAMED, Opaque

_TAKES_PATH = frozenset(("omegaconf.OmegaConf.load", "parse_json_file", "parse_yaml_file"))
"""Loaders that are given the path."""

_OF_CLASSES = frozenset(("parse_json_file", "parse_yaml_file", "parse_dict"))
"""Methods of HfArgumentParser that return one object for each class. Each takes its fields from one table."""

_WRAPPERS = frozenset(
    "EasyDict edict Munch munchify Box DotMap AttrDict AttributeDict dotdict DictConfig ConfigDict create merge to_container".split()
)
"""Functions that return the same settings in another container."""

_MOST_CLASSES = 6

_WALKED = frozenset(("items", "keys", "values"))


def read(machine: Machine, path: str, last: str, given: Sequence[Any], node: cst.CSTNode) -> Opaque | None:
    """What a loader returns, or a container around what one returned; None if it is not known which file that is."""
    if path in LOADERS or last in _TAKES_PATH:
        tables = [_in_file(machine, given[0])] if given and (type(given[0]) is Opaque or _takes_path(path, last)) else []
    elif last in _WRAPPERS or last in _OF_CLASSES:
        tables = [each.kept[TABLE] for each in given if type(each) is Opaque and TABLE in each.kept]
    else:
        return None
    known = [each for each in tables if each is not None]
    if not known:
        return None
    made = _holding(machine, merged(known), node)
    if last in _OF_CLASSES:
        made.kept.update({place: _holding(machine, made.kept[TABLE], node) for place in range(_MOST_CLASSES)})
    return made


def _takes_path(path: str, last: str) -> bool:
    return path in _TAKES_PATH or last in _TAKES_PATH


def _in_file(machine: Machine, value: Any) -> Table | None:
    path = path_of(value)
    found = machine.around.settings.named(path) if path is not None else None
    return found.table if found is not None and found.table.entries else None


def _holding(machine: Machine, table: Table, node: cst.CSTNode) -> Opaque:
    spelled = machine.compiler.spelled(node) if isinstance(node, cst.Call) else "settings"
    return Opaque(
        spelled[:120],
        models=frozenset((f"{spelled[:40]} at {machine.compiler.place(node)}",)),
        kept={TABLE: table, UNNAMED: True},
    )


def table_of(machine: Machine, value: Any) -> Table | None:
    """The table that something was read from, or that is in the file whose path it is."""
    if type(value) is Opaque and TABLE in value.kept:
        table: Table = value.kept[TABLE]
        return table.without(frozenset(key for key in value.kept if isinstance(key, str) and key in table.entries))
    return _in_file(machine, value)


def entry(machine: Machine, value: Opaque, key: Any, spelled: str) -> Any:
    """What a table holds under a key, which the code reads as `spelled`; None if that is not known."""
    table = value.kept.get(TABLE)
    found = table.entries.get(key) if table is not None and type(key) is str else None
    if found is None:
        return None
    identity = f"{value.identity}{spelled}"
    if isinstance(found, Table):
        made: Any = Opaque(identity, models=frozenset((identity,)), kept={TABLE: found})
    else:
        made = unknown(machine, identity, default=found.value, has_default=True)
        machine.asked.stated[identity] = found
    value.kept[key] = made
    return made


def entries(machine: Machine, value: Opaque) -> dict[str, Any]:
    """Everything that a table holds, by key, with what the code has set since."""
    found = {}
    for key in value.kept[TABLE].entries:
        known = value.kept.get(key)
        if known is None:
            known = entry(machine, value, key, f"[{key!r}]")
        found[key] = known if known is not None else unknown(machine, f"{value.identity}[{key!r}]")
    return found


def method(machine: Machine, value: Opaque, name: str, args: Sequence[Any]) -> Any:
    """A method of a table as of a dictionary; None if it says nothing that is known."""
    if name in ("get", "pop") and args and type(args[0]) is str:
        known = value.kept.get(args[0])
        return known if known is not None else entry(machine, value, args[0], f"[{args[0]!r}]")
    if name in _WALKED and not args:
        found = entries(machine, value)
        return list(found.items() if name == "items" else found.values() if name == "values" else found)
    return None


def agreed(tables: Iterable[Setting | Table | None]) -> Setting | None:
    """The setting that all files give, or None if they differ."""
    found = list(tables)
    first = next((each for each in found if isinstance(each, Setting)), None)
    return first if first and all(isinstance(each, Setting) and each.value == first.value for each in found) else None
