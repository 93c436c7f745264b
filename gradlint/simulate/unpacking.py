"""The arguments of a call that unpacks lists or mappings: `f(*parts, **config)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradlint.simulate.callables import ClassValue, Frame, Function
from gradlint.simulate.stated import entries
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import TABLE, Opaque


def unpacked(frame: Frame, callee: Any, parts: Iterable[tuple[str, Any]]) -> tuple[list[Any], dict[str, Any]]:
    """The positional and named arguments, from the values of a call's unnamed arguments, each with its stars.

    A mapping of unknown content may give a function of the text all its other parameters.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    outside = False
    for star, value in parts:
        if star != "**":
            args.extend(value if star and isinstance(value, (list, tuple)) else [value])
        elif isinstance(value, dict):
            kwargs.update((key, each) for key, each in value.items() if isinstance(key, str))
        elif type(value) is Opaque and TABLE in value.kept:
            kwargs.update(entries(frame.machine, value))
        else:
            outside = outside or _from_outside(frame, value)
    if outside:
        _fill(frame, callee, args, kwargs)
    return args, kwargs


def _from_outside(frame: Frame, value: Any) -> bool:
    """Whether a mapping has unknown content, other than the further arguments of a function, which usually has none."""
    own = frame.function.parameters.double_star if frame.function is not None else None
    return type(value) is Opaque and value.identity != own


def _fill(frame: Frame, callee: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    function = callee.lookup("__init__")[1] if isinstance(callee, ClassValue) else callee
    if not isinstance(function, Function):
        return
    parameters = function.parameters
    given = len(args) + (function is not callee)
    for name in (*parameters.positional[given:], *parameters.keyword_only):
        default = parameters.defaults.get(name)
        value = default(function.frame) if default is not None else None
        if name not in kwargs and (default is None or isinstance(value, (int, float, str))):
            kwargs[name] = unknown(frame.machine, name, default=value, has_default=default is not None)
