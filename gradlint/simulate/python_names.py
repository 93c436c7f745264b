"""Python's functions on objects, and the table of all functions known by their full name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import libcst as cst

from gradlint.simulate.attributes import get_attribute, set_attribute
from gradlint.simulate.callables import Frame, Instance, Partial, Super
from gradlint.simulate.contents import flattened, is_data
from gradlint.simulate.joined import joined
from gradlint.simulate.machine import Machine
from gradlint.simulate.python_numbers import NUMBERS, parsed
from gradlint.simulate.python_streams import STREAMS
from gradlint.simulate.stated import read
from gradlint.simulate.things import Context, Network
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import UNNAMED, Opaque

_LONGEST = 10_000
"""The maximum length of a string to parse."""

_VERSIONS = (
    "packaging.version.parse",
    "packaging.version.Version",
    "pkg_resources.parse_version",
    "distutils.version.LooseVersion",
    "distutils.version.StrictVersion",
    "looseversion.LooseVersion",
)

Known = Callable[[Machine, list[Any], dict[str, Any], cst.CSTNode, "Frame | None"], Any]


def _getattr(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    if len(args) > 1 and isinstance(args[1], str) and not args[1].startswith("__"):
        if len(args) > 2 and isinstance(args[0], Opaque) and args[1] not in args[0].kept:
            return unknown(machine, f"{args[0].identity}.{args[1]}", default=args[2], has_default=True)
        return get_attribute(machine, args[0], args[1], node)
    return Opaque("getattr()")


def _environment(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`os.environ.get(...)`: a setting of the process."""
    name = args[0] if args else kwargs.get("key")
    default = args[1] if len(args) > 1 else kwargs.get("default")
    if isinstance(default, str):
        default = parsed(default) if parsed(default) is not None else default
    return unknown(machine, f"os.environ.{name}", default=default, has_default=default is not None)


def _slice(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    return slice(*args[:3]) if args else Opaque("slice()")


def _setattr(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    if len(args) == 3 and isinstance(args[1], str) and not args[1].startswith("__"):
        set_attribute(machine, args[0], args[1], args[2], node)


def _hasattr(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    if len(args) < 2 or not isinstance(args[1], str):
        return Opaque("hasattr")
    if isinstance(args[0], Network) and args[0].parallel and args[1] in _OF_WRAPPERS:
        return args[0].parallel != "DataParallel" or args[1] == "module"
    return Opaque(f"hasattr {args[1]!r}")


_OF_WRAPPERS = frozenset(("module", "no_sync"))
"""What a model has only if it is wrapped for several processes. PyTorch's DataParallel has no `no_sync`."""


def _super(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    while frame is not None and frame.owner is None:
        frame = frame.outer
    instance = next((each for each in frame.names.values() if isinstance(each, Instance)), None) if frame is not None else None
    return (
        Super(instance, frame.owner)
        if frame is not None and instance is not None and frame.owner is not None
        else Opaque("super()")
    )


def _partial(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    return Partial(args[0], tuple(args[1:]), kwargs) if args else Opaque("partial()")


def _printed(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    return None


def _field(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`dataclasses.field(...)`: its default."""
    if "default_factory" in kwargs:
        from gradlint.simulate.calling import call

        return call(machine, kwargs["default_factory"], [], {}, node)
    return kwargs.get("default", args[0] if args else Opaque("a field"))


def _namespace(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`SimpleNamespace(...)`, `Namespace(...)`: an object with these attributes."""
    found = Opaque(f"a namespace at {machine.compiler.place(node)}")
    found.kept.update({name: machine.named(name, value, frame) for name, value in kwargs.items()})
    found.kept[UNNAMED] = True
    return found


def _json(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`json.loads(...)` of a string in the text, or of the text of a settings file."""
    if not args or not isinstance(args[0], str) or len(args[0]) > _LONGEST:
        return read(machine, "json.loads", "loads", args, node) or Opaque(f"json.loads at {machine.compiler.place(node)}")
    try:
        found = json.loads(args[0])
    except (ValueError, RecursionError):
        return Opaque("no JSON")
    return {key: machine.named(key, each, frame) for key, each in found.items()} if isinstance(found, dict) else found


def _version(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """A version, as a tuple of numbers to compare."""
    if args and isinstance(args[0], str) and len(args[0]) < _LONGEST:
        return tuple(int(part) for part in re.findall(r"\d+", args[0].partition("+")[0])[:4])
    return Opaque(f"a version at {machine.compiler.place(node)}")


def _stacked(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    return Context("stack", node, kind="stack")


def _unknown(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    parts = flattened(args)
    return joined(machine, node, parts) if any(map(is_data, parts)) else Opaque("unknown()")


PYTHON: dict[str, Known] = {
    **NUMBERS,
    **STREAMS,
    "functools.partial": _partial,
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.slice": _slice,
    "os.environ.get": _environment,
    "os.getenv": _environment,
    "builtins.hasattr": _hasattr,
    "builtins.super": _super,
    "builtins.print": _printed,
    "dataclasses.field": _field,
    "types.SimpleNamespace": _namespace,
    "argparse.Namespace": _namespace,
    "json.loads": _json,
    "contextlib.ExitStack": _stacked,
    **dict.fromkeys(_VERSIONS, _version),
    "builtins.eval": _unknown,
    "builtins.exec": _unknown,
}
