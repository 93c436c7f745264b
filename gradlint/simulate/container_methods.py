"""Methods of Python's containers, strings and numbers."""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.contents import shown_in
from gradlint.simulate.iteration import items_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.stated import entries
from gradlint.simulate.values import OTHERS, TABLE, Opaque, Tensor


def list_method(machine: Machine, value: list[Any], name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of a list, or of a queue."""
    if name == "append" and args:
        if len(value) < 2000:
            value.append(args[0])
    elif name == "extend" and args:
        for count, item in enumerate(items_of(machine, args[0], node)):
            if count >= 1000 or len(value) >= 2000:
                break
            value.append(item)
    elif name == "clear":
        value.clear()
    elif name == "pop" and value:
        return value.pop(args[0] if args and isinstance(args[0], int) and -len(value) <= args[0] < len(value) else -1)
    elif name == "popleft" and value:
        return value.pop(0)
    elif name == "insert" and len(args) == 2 and isinstance(args[0], int):
        value.insert(args[0], args[1])
    elif name == "copy":
        return list(value)
    elif name in ("index", "count"):
        return Opaque("a place")
    return None


def dict_method(
    machine: Machine, value: dict[Any, Any], name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode
) -> Any:
    """A method of a dictionary."""
    from gradlint.simulate.items import plain

    if name == "items":
        return list(value.items())
    if name == "values":
        return list(value.values())
    if name == "keys":
        return list(value)
    if name in ("get", "pop", "setdefault") and args:
        key = plain(args[0])
        default = value.get(OTHERS, args[1] if len(args) > 1 else None)
        if name == "pop":
            return value.pop(key, default)
        return value.setdefault(key, default) if name == "setdefault" else value.get(key, default)
    if name == "update":
        for given in (*args, kwargs):
            if isinstance(given, dict):
                value.update(given)
            elif type(given) is Opaque and TABLE in given.kept:
                value.update(entries(machine, given))
    elif name == "copy":
        return value.copy()
    elif name == "clear":
        value.clear()
    return None


def set_method(machine: Machine, value: set[Any], name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of a set."""
    from gradlint.simulate.items import plain

    if name == "add" and args and len(value) < 2000:
        value.add(plain(args[0]))
    elif name in ("discard", "remove") and args:
        value.discard(plain(args[0]))
    elif name == "clear":
        value.clear()
    elif name == "update":
        value.update(plain(each) for given in args for each in items_of(machine, given, node))
    elif name in ("copy", "union"):
        return set(value)
    return None


_LONGEST = 1_000
"""How many characters of a string are split."""


def string_method(machine: Machine, value: str, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of a string."""
    if name in ("lower", "upper", "strip"):
        return getattr(value, name)()
    if name in ("startswith", "endswith") and args and isinstance(args[0], str):
        return getattr(value, name)(args[0])
    if name in ("split", "rsplit") and not kwargs and all(type(each) in (str, int) for each in args[:2]) and "" not in args:
        return getattr(value[:_LONGEST], name)(*args[:2])
    if name in ("format", "join"):
        return shown_in((*args, *kwargs.values()))
    return "text" if name == "replace" else Opaque("a string")


def number_method(machine: Machine, value: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of a number. Converting one to an integer means that it is a comparison of tensors."""
    if name in ("int", "long", "bool"):
        return Tensor(frozenset(), None)
    return (
        value
        if name in ("item", "round", "to", "cuda", "float", "detach", "cpu", "clone", "__int__")
        else Opaque(f"number.{name}()")
    )
