"""Options of the command line: a parser's arguments with their defaults, and the namespace that it returns."""

from __future__ import annotations

from typing import Any

from gradlint.simulate.machine import Machine
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import Opaque

METHODS = frozenset("add_argument set_defaults parse_args parse_known_args parse_args_into_dataclasses".split())
"""The methods of a parser."""


def method(machine: Machine, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """What a method of a parser does."""
    if name == "add_argument":
        return _declare(machine, args, kwargs)
    if name == "set_defaults":
        machine.options.update(kwargs)
        return None
    if name == "parse_args_into_dataclasses":
        return Opaque(f"{name}()")  # one object for each class that the parser was given
    found = _namespace(machine)
    return found if name == "parse_args" else (found, [])


def _declare(machine: Machine, args: list[Any], kwargs: dict[str, Any]) -> None:
    """`parser.add_argument(...)`: records an option and its default."""
    names = [each for each in args if isinstance(each, str)]
    long = next((each for each in names if each.startswith("--")), names[0] if names else "")
    dest = kwargs.get("dest", long.lstrip("-").replace("-", "_"))
    if not isinstance(dest, str):
        return
    action = kwargs.get("action")
    default = kwargs.get("default", False if action == "store_true" else True if action == "store_false" else None)
    machine.options[dest] = default


def _namespace(machine: Machine) -> Opaque:
    """The namespace of the declared options."""
    made = Opaque("args")
    for dest, default in machine.options.items():
        made.kept[dest] = unknown(machine, f"args.{dest}", default=default, has_default=default is not None)
    return made
