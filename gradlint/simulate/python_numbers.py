"""Python's functions on numbers and truths."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import libcst as cst

from gradlint.simulate.arithmetic import binary
from gradlint.simulate.callables import Frame
from gradlint.simulate.conditions import certain
from gradlint.simulate.contents import is_data
from gradlint.simulate.iteration import items_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import DRIFT, Answer, Opaque, Tensor, made, number, of_length, settings_of

Known = Callable[[Machine, list[Any], dict[str, Any], cst.CSTNode, "Frame | None"], Any]


def _sum(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    if args and is_data(args[0]) and "<pieces>" not in args[0].kept:
        return args[0]
    total: Any = 0
    for count, item in enumerate(items_of(machine, args[0], node) if args else ()):
        if count >= 1000:
            break
        machine.tick(node)
        total = item if count == 0 else binary(machine, cst.Add, total, item, node)
    return total


def _extreme(kind: type) -> Known:
    def run(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
        given = args if len(args) > 1 else list(items_of(machine, args[0], node))[:1000] if args else []
        if any(is_data(each) for each in given):
            found = next(each for each in given if is_data(each))
            return _bounded(found) if kind is cst.LessThan and any(map(_of_length, given)) else found
        numbers = [machine.number_of(each) for each in given]
        known = [each for each in numbers if number(each) is not None]
        if len(known) < len(numbers) or not known:
            return kwargs["default"] if "default" in kwargs and not given else Opaque("an extreme")
        best = (
            min(known, key=lambda each: number(each) or 0)
            if kind is cst.LessThan
            else max(known, key=lambda each: number(each) or 0)
        )
        return made(number(best) or 0, *known)

    return run


def _of_length(value: Any) -> bool:
    """Whether a number was computed from the length of data."""
    return any(map(of_length, settings_of(value))) if number(value) is not None else False


def _bounded(value: Any) -> Any:
    """A growing number that is capped by what is left of a pass, and so may also shrink."""
    if type(value) is not Tensor or value.models.isdisjoint(DRIFT):
        return value
    return Tensor(value.draws, value.terms, value.models - DRIFT, value.scaler, value.detached, value.reduced)


def parsed(text: str) -> int | float | None:
    """The number that a string spells."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None


def _rounded(call: Callable[[float], Any]) -> Known:
    def run(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
        given = args[0] if args else 0
        if isinstance(given, Answer):
            return given
        if is_data(given):
            return given
        if type(given) is Opaque and isinstance(given.default, str):
            given = unknown(machine, f"{given.identity} as a number", default=parsed(given.default), has_default=True)
        if isinstance(given, str):
            return parsed(given) if parsed(given) is not None else Opaque("a number")
        known = machine.number_of(given)
        plain = number(known)
        if plain is None or not math.isfinite(plain):
            return given if plain is None else plain
        return made(call(plain), known)

    return run


def _float(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    given = args[0] if args else 0.0
    if is_data(given):
        from gradlint.simulate.tensors import tensor_method

        return tensor_method(machine, given, "item", [], {}, node)
    if isinstance(given, str):
        return math.inf if given.strip("+").lower() in ("inf", "infinity") else Opaque("a number")
    known = machine.number_of(given)
    return made(float(number(known) or 0.0), known) if known is not None else given


def _bool(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    known = certain(args[0]) if args else False
    return known if known is not None else args[0]


def _any_all(wanted: bool) -> Known:
    def run(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
        for count, item in enumerate(items_of(machine, args[0], node) if args else ()):
            known = certain(item)
            if known is None:
                return Answer("any or all")
            if known is wanted or count > 1000:
                return wanted
        return not wanted

    return run


def _divmod(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    if len(args) != 2:
        return Opaque("divmod()")
    return binary(machine, cst.FloorDivide, args[0], args[1], node), binary(machine, cst.Modulo, args[0], args[1], node)


NUMBERS: dict[str, Known] = {
    "builtins.sum": _sum,
    "builtins.min": _extreme(cst.LessThan),
    "builtins.max": _extreme(cst.GreaterThan),
    "builtins.int": _rounded(int),
    "builtins.round": _rounded(round),
    "math.ceil": _rounded(math.ceil),
    "math.floor": _rounded(math.floor),
    "numpy.ceil": _rounded(math.ceil),
    "numpy.floor": _rounded(math.floor),
    "builtins.abs": _rounded(abs),
    "builtins.float": _float,
    "builtins.bool": _bool,
    "builtins.any": _any_all(True),
    "builtins.all": _any_all(False),
    "builtins.divmod": _divmod,
}
