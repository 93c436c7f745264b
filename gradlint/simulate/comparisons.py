"""Compares the values of a run."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import libcst as cst

from gradlint.simulate.callables import External
from gradlint.simulate.contents import is_data
from gradlint.simulate.machine import Machine
from gradlint.simulate.things import Thing
from gradlint.simulate.values import (
    NORM,
    NOTHING,
    OF_NORM,
    OF_SIZES,
    OTHERS,
    SIZES,
    TABLE,
    Answer,
    Factor,
    Num,
    Opaque,
    Question,
    Tensor,
    in_order,
    number,
    settings_of,
)
from gradlint.simulate.world import spells_rows

_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    cst.Equal: operator.eq,
    cst.NotEqual: operator.ne,
    cst.LessThan: operator.lt,
    cst.LessThanEqual: operator.le,
    cst.GreaterThan: operator.gt,
    cst.GreaterThanEqual: operator.ge,
}


def compare(machine: Machine, kind: type, left: Any, right: Any) -> Any:
    """The truth of `left kind right`: a bool, a question, or an answer that the data give."""
    if kind in (cst.Is, cst.IsNot):
        return _identical(left, right, kind is cst.IsNot)
    if kind in (cst.In, cst.NotIn):
        return _contained(machine, left, right, kind is cst.NotIn)
    if is_data(left) or is_data(right) or isinstance(left, Answer) or isinstance(right, Answer):
        if any(is_data(each) and each.models >= NORM and not each.draws for each in (left, right)):
            return Answer(OF_NORM)
        return Answer(OF_SIZES if _of_sizes(left, right) or _of_sizes(right, left) else "a comparison of data")
    first, second = number(left), number(right)
    if first is None and type(left) is Opaque:
        if isinstance(right, str):
            return _string(machine, left, right, kind is cst.NotEqual)
        if right is None or isinstance(right, bool):
            return _identical(left, right, kind is cst.NotEqual)
        if second is not None or type(right) is Opaque:
            left = machine.number_of(left)
            first = number(left)
    if second is None and type(right) is Opaque:
        if isinstance(left, str):
            return _string(machine, right, left, kind is cst.NotEqual)
        if first is not None:
            right = machine.number_of(right)
            second = number(right)
    if first is not None and second is not None:
        return made_truth(bool(_COMPARISONS[kind](first, second)), left, right)
    if kind in (cst.Equal, cst.NotEqual) and isinstance(left, _PLAIN) and isinstance(right, _PLAIN):
        return bool(_COMPARISONS[kind](left, right))
    if (isinstance(left, str) and isinstance(right, str)) or (isinstance(left, tuple) and isinstance(right, tuple)):
        try:
            return bool(_COMPARISONS[kind](left, right))
        except TypeError:
            return Answer("a comparison")
    if left is None or right is None:
        return kind is cst.NotEqual
    return Question(f"{_named(left)} {kind.__name__} {_named(right)}")


_LARGER, _SMALLER = (cst.GreaterThan, cst.GreaterThanEqual), (cst.LessThan, cst.LessThanEqual)


def of_pieces(machine: Machine, kind: type, left: Any, right: Any, names: tuple[str, str]) -> bool | None:
    """The truth of comparing a batch's size with that of its pieces, which are smaller. `names` are the names of both sides."""
    if not machine.cuts:
        return None
    for one, other, name, true in ((left, right, names[1], _LARGER), (right, left, names[0], _SMALLER)):
        if kind in (*_LARGER, *_SMALLER) and name in machine.cuts and not spells_rows(name) and _of_sizes(one, other):
            return kind in true
    return None


def remember(machine: Machine, node: cst.CSTNode, left: Any, right: Any, found: Any) -> None:
    """Keep the two numbers of a comparison, for the condition around it."""
    answer = number(found)
    if not machine.loops or answer is None:
        return
    left = machine.number_of(left) if type(left) is Opaque else left
    right = machine.number_of(right) if type(right) is Opaque else right
    first, second = number(left), number(right)
    if first is not None and second is not None:
        sides = Factor(float(first), settings_of(left)), Factor(float(second), settings_of(right))
        machine.compared.append((node, *sides, bool(answer)))


def alternatives(test: cst.CSTNode, kind: type) -> frozenset[cst.CSTNode]:
    """The operands that `kind` joins in a condition, or the condition itself. Each may decide the condition alone."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, kind):
        return alternatives(test.left, kind) | alternatives(test.right, kind)
    return frozenset((test,))


def _of_sizes(value: Any, other: Any) -> bool:
    """Whether a size is compared with another one. Any batch may be empty, but only the last batch of a pass is short."""
    return type(value) is Tensor and value.text in SIZES and number(other) != 0


_PLAIN = (str, int, float, bool, type(None), tuple, list)


def made_truth(value: bool, *parts: Any) -> Any:
    """A truth about numbers that remembers their settings."""
    of = frozenset().union(*(settings_of(part) for part in parts))
    return Num(value, of) if of else value


def _identical(left: Any, right: Any, negated: bool) -> Any:
    if isinstance(left, bool) or left is None:
        left, right = right, left
    if right is None:
        if type(left) is Opaque:
            if left.has_default and left.default is not None and not isinstance(left.default, Opaque):
                return negated
            return Question(f"{left.identity} is None", negated=negated, default=False)
        if getattr(left, "optional", False):
            return Question(f"{left.identity} is None", negated=negated, default=False)
        absent = (left is None) != negated
        return Num(absent, NOTHING, usual=True) if is_data(left) and left.terms is None else absent
    if isinstance(right, bool):
        if type(left) is Opaque:
            return Question(left.identity, negated=negated == right)
        return (left is right) != negated
    if isinstance(left, External) and isinstance(right, External):
        return (left.path.rpartition(".")[2] == right.path.rpartition(".")[2]) != negated
    if left is not right and (type(left) is Opaque or type(right) is Opaque):
        return Question(f"{_named(left)} is {_named(right)}", negated=negated, default=False)  # two names mostly mean two objects
    return (left is right or (number(left) is not None and number(left) == number(right))) != negated


def _string(machine: Machine, left: Opaque, right: str, negated: bool) -> bool:
    """Compare a setting with a string. It equals the first string it is compared with, unless the world gives another."""
    first = left.default if isinstance(left.default, str) else right if right != "cpu" else "cuda"
    asked = machine.asked.compared.setdefault(left.identity, [first])
    if right not in asked:
        asked.append(right)
    return (machine.strings.get(left.identity, asked[0]) == right) != negated


def _contained(machine: Machine, left: Any, right: Any, negated: bool) -> Any:
    if is_data(left) or is_data(right) or isinstance(left, Answer):
        return Answer("data in something")
    if isinstance(right, str) and isinstance(left, str):
        return (left in right) != negated
    if isinstance(right, (set, frozenset)):
        right = in_order(right)
    if isinstance(right, dict) and OTHERS in right and (type(left) is Opaque or left not in right):
        return Answer("one of several keys")
    if (
        type(right) is Opaque
        and TABLE in right.kept
        and type(left) is str
        and (left in right.kept[TABLE].entries or left in right.kept)
    ):
        return not negated
    if isinstance(right, (list, tuple, dict, range)):
        if type(left) is Opaque:
            strings = [each for each in right if isinstance(each, str)]
            if strings:
                return any(_string(machine, left, each, False) for each in strings) != negated
            left = machine.number_of(left)
        plain = number(left)
        if plain is not None:
            inside = [each for each in right if number(each) is not None]
            return made_truth(any(number(each) == plain for each in inside) != negated, left, *inside[:3])
        try:
            return (left in right) != negated
        except TypeError:
            return any(each is left for each in right) != negated
    return Question(f"{_named(left)} in {_named(right)}", negated=negated)


def _named(value: Any) -> str:
    if type(value) is Opaque or isinstance(value, Thing):
        return value.identity
    plain = number(value)
    return str(plain) if plain is not None else value if isinstance(value, str) else type(value).__name__
