"""Operators on the values of a run."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import isclose
from typing import Any

import libcst as cst

from gradlint.simulate import rows
from gradlint.simulate.contents import flattened, is_data, models_of, shown_in
from gradlint.simulate.joined import derived, joined, merged, mixed, rest_of, source_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.summands import add, weighted_mean
from gradlint.simulate.taken import of_rows, over_own_rows
from gradlint.simulate.things import Gradient, Scale
from gradlint.simulate.values import (
    DRIFT,
    NORM,
    REST,
    VARYING,
    Answer,
    Factor,
    Num,
    Opaque,
    Shown,
    Tensor,
    made,
    number,
    settings_of,
)

_LARGE = 1 << 40
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    cst.Add: operator.add,
    cst.Subtract: operator.sub,
    cst.Multiply: operator.mul,
    cst.Divide: operator.truediv,
    cst.FloorDivide: operator.floordiv,
    cst.Modulo: operator.mod,
    cst.Power: operator.pow,
    cst.LeftShift: operator.lshift,
    cst.RightShift: operator.rshift,
    cst.BitAnd: operator.and_,
    cst.BitOr: operator.or_,
    cst.BitXor: operator.xor,
}
OF_AUGMENTED: dict[type, type] = {
    cst.AddAssign: cst.Add,
    cst.SubtractAssign: cst.Subtract,
    cst.MultiplyAssign: cst.Multiply,
    cst.DivideAssign: cst.Divide,
    cst.FloorDivideAssign: cst.FloorDivide,
    cst.ModuloAssign: cst.Modulo,
    cst.PowerAssign: cst.Power,
    cst.BitAndAssign: cst.BitAnd,
    cst.BitOrAssign: cst.BitOr,
    cst.BitXorAssign: cst.BitXor,
    cst.LeftShiftAssign: cst.LeftShift,
    cst.RightShiftAssign: cst.RightShift,
}
"""The operator of each augmented assignment."""


_NUMBERS = frozenset((Num, int, float, bool))
"""Plain numbers, which most operands in conditions are. They take the fast path."""


def binary(machine: Machine, kind: type, left: Any, right: Any, node: cst.CSTNode) -> Any:
    """The value of `left kind right`."""
    if kind is cst.MatrixMultiply:
        return joined(machine, node, flattened((left, right)))
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return _of_numbers(machine, kind, left, right, node)
    if is_data(left) or is_data(right):
        return of_data(machine, kind, left, right, node)
    if isinstance(left, Scale) or isinstance(right, Scale):
        return left if isinstance(left, Scale) else right
    if type(left) is Gradient:
        return Gradient(owner=left.owner, factor=left.factor.times(factor_of(machine, kind, right, node)))
    if isinstance(left, Answer) or isinstance(right, Answer):
        if kind in (cst.BitOr, cst.BitAnd):
            return left if isinstance(left, Answer) else right
        return Tensor(frozenset(), None)
    if kind in (cst.Add, cst.Modulo) and (
        isinstance(left, Shown) or (isinstance(left, str) and isinstance(right, (tuple, Shown)))
    ):
        return shown_in((left, right))
    first, second = number(left), number(right)
    if first is None and type(left) is Opaque and (second is not None or type(right) is Opaque):
        left = machine.number_of(left)
        first = number(left)
    if second is None and type(right) is Opaque and first is not None:
        right = machine.number_of(right)
        second = number(right)
    if kind is cst.Multiply and type(right) is Opaque and isinstance(left, (list, tuple)):
        right = machine.number_of(right)
    if first is not None and second is not None:
        return _of_numbers(machine, kind, left, right, node)
    return _of_python(kind, left, right)


def _of_numbers(machine: Machine, kind: type, left: Any, right: Any, node: cst.CSTNode) -> Any:
    """An operator with two numeric operands."""
    first, second = number(left), number(right)
    assert first is not None
    assert second is not None
    if kind is cst.Modulo and type(right) is int and right > 1 and node not in machine.asked.idle:
        machine.asked.moduli.add(right)
    if kind is cst.Modulo:
        machine.asked.paces |= {each for each in settings_of(right) if not machine.counts_steps(each)}
        machine.divided.append((node, first, second, settings_of(left)))
        if node in machine.world.due:
            return made(0, left, right)
    if kind is cst.BitAnd and any(map(machine.counts_steps, settings_of(left) | settings_of(right))):
        machine.asked.masked = True
    found = _computed(kind, first, second)
    whole = _inverted(kind, left, right)
    if whole > 1:
        machine.quotients.setdefault(float(found), set()).add(whole)
    if kind in (cst.FloorDivide, cst.Divide) and found < machine.world.length and rows.is_guessed(machine, left, right):
        found = machine.world.length  # the quotient of two guesses is a guess too, usually of a number of batches
    if kind in (cst.FloorDivide, cst.Divide) and any(map(machine.counts_steps, settings_of(right))):
        machine.split |= settings_of(left)
    if kind in (cst.FloorDivide, cst.Divide) and rows.counts_batches(machine, left, right):
        return rows.in_batches(machine, left, right)
    if kind is cst.Multiply and found > machine.world.length and rows.counts_all(left, right):
        found = machine.world.length  # the number of all batches in a pass, which this world defines
    if kind is cst.Modulo and any(each.startswith("len(") for each in settings_of(left)):
        machine.asked.rests[node] = int(found)
    return made(found, left, right)


def _inverted(kind: type, left: Any, right: Any) -> int:
    """The plain whole number in `1 / 8` or `8 ** -1`, or 0 if the expression is something else."""
    by = right if kind is cst.Divide else left if kind is cst.Power and right == -1 else 0
    return by if type(by) is int else 0


def _computed(kind: type, first: int | float, second: int | float) -> int | float:
    """Compute an operator, but never a huge number."""
    if kind in (cst.Power, cst.LeftShift) and (abs(second) > 64 or abs(first) > 1 << 20):
        return _LARGE
    try:
        found = _OPERATORS[kind](first, second)
    except ZeroDivisionError:
        return first
    except (TypeError, ValueError, OverflowError):
        return 0
    return found if isinstance(found, (int, float)) and abs(found) < _LARGE * _LARGE else _LARGE


def _of_python(kind: type, left: Any, right: Any) -> Any:
    """Operators on Python containers and strings. Everything else is unknown."""
    if kind is cst.Add and type(left) is type(right) and isinstance(left, (list, tuple, str)):
        return left + right if len(left) + len(right) < 10_000 else left
    if kind is cst.Multiply:
        many, times = (left, right) if isinstance(left, (list, tuple)) else (right, left)
        count = number(times)
        if isinstance(many, (list, tuple)) and isinstance(count, int):
            return many * max(0, min(count, 200 // max(1, len(many))))
    if (
        isinstance(left, (set, frozenset))
        and isinstance(right, (set, frozenset))
        and kind in (cst.BitAnd, cst.BitOr, cst.Subtract)
    ):
        return _OPERATORS[kind](left, right)
    if isinstance(left, dict) and isinstance(right, dict) and kind is cst.BitOr:
        return left | right
    return Opaque("an expression", models=models_of(left) | models_of(right))


# Losses


def factor_of(machine: Machine, kind: type, value: Any, node: cst.CSTNode) -> Factor:
    """How a term changes if it is multiplied or divided by a value."""
    known = machine.number_of(value)
    if known is None or kind not in (cst.Multiply, cst.Divide, cst.FloorDivide):
        return Factor(doubt="the loss is multiplied by something unknown")
    plain = float(number(known) or 0.0)
    if kind is cst.Multiply:
        parts = machine.quotients.get(plain, ()) if not settings_of(known) else ()
        if len(parts) == 1 and isclose(plain * (whole := next(iter(parts))), 1.0):
            machine.divisors[node] = whole, False
            return Factor(plain, divisors=(node,), by=float(whole))  # multiplying by 1 / 8 divides by 8
        return Factor(plain, settings_of(known), weights=() if settings_of(known) else (plain,))
    if plain == 0.0:
        return Factor(doubt="the loss is divided by a number that may be 0")
    machine.divisors[node] = plain, any(map(machine.counts_steps, settings_of(known)))
    return Factor(1.0 / plain, settings_of(known), divisors=(node,), by=plain)


def of_data(machine: Machine, kind: type, left: Any, right: Any, node: cst.CSTNode) -> Any:
    """An operator with an operand that varies with the data."""
    counted = of_rows(kind, left, right) or weighted_mean(machine, kind, left, right)
    if counted is not None:
        return counted
    if is_data(left) and is_data(right):
        return _of_tensors(machine, kind, left, right, node)
    tensor, other, first = (left, right, True) if is_data(left) else (right, left, False)
    if type(other) is Gradient:
        return Gradient(owner=other.owner, factor=other.factor.doubted("the loss is multiplied by a number from the data"))
    if isinstance(other, Scale):
        scaler = other.scaler if kind is cst.Multiply else None
        return Tensor(tensor.draws, tensor.terms, tensor.models, scaler, tensor.detached, tensor.reduced)
    if tensor.terms is None:
        if kind is cst.Subtract and not first and number(other) == 1:
            return rest_of(tensor)
        return derived(machine, tensor, node) if number(other) is None else tensor
    if kind in (cst.Add, cst.Subtract):
        return tensor.copied() if first or kind is cst.Add else tensor.scaled_by(Factor(-1.0))
    if kind is cst.Multiply or (kind in (cst.Divide, cst.FloorDivide) and first):
        return tensor.scaled_by(factor_of(machine, kind, other, node))
    return joined(machine, node, (tensor,))


def _of_tensors(machine: Machine, kind: type, left: Tensor, right: Tensor, node: cst.CSTNode) -> Tensor:
    draws, models = left.draws | right.draws, left.models | right.models
    scaler, reduced = left.scaler or right.scaler, left.reduced and right.reduced
    if left.terms is None and right.terms is None:
        return Tensor(draws, None, models)
    if left.terms is None or right.terms is None or left.detached != right.detached:
        # Data and detached numbers are not terms: adding one shifts a loss, and multiplying by one weights it.
        graph = left if right.terms is None or (right.detached and not left.detached and left.terms is not None) else right
        if kind in (cst.Add, cst.Subtract):
            return Tensor(draws, graph.terms, models, scaler, graph.detached, reduced)
        divides = kind is cst.Divide and graph is left
        weight = right if graph is left else left
        mean = over_own_rows(graph, weight) if divides else None
        if mean is not None:
            return mean
        if not divides and weight.detached and weight.terms and weight.models.isdisjoint(NORM | DRIFT):
            return Tensor(draws, graph.terms, models, scaler, graph.detached, reduced)  # what a model computes counts nothing
        share = None if divides or weight.terms is not None else (weight.kept.get(REST, weight), REST in weight.kept)
        doubt = Factor(doubt="the loss is divided by something that varies" if divides else VARYING, share=share)
        scaled = graph.scaled_by(doubt)
        return Tensor(draws, scaled.terms, models, scaler, graph.detached, reduced)
    if kind in (cst.Add, cst.Subtract):
        add(machine, left, right, node)
        more = right if kind is cst.Add else right.scaled_by(Factor(-1.0))
        terms = mixed(merged((*left.terms, *(more.terms or ()))))
        return Tensor(draws, terms, models, scaler, left.detached and right.detached, reduced)
    if kind is cst.Multiply:
        factor = left.common.times(right.common)
        source = source_of(machine.micro(draws), node, models, [each for each, _ in (*left.terms, *right.terms)])
        return Tensor(draws, ((source, factor),), models, scaler, left.detached and right.detached, reduced)
    if kind is cst.Divide and not right.models:
        # No model produced the divisor. It counts tokens or rows, possibly those of the whole window.
        counted = left.scaled_by(Factor(doubt="the loss is divided by a count"))
        return Tensor(draws, counted.terms, models, scaler, left.detached, reduced)
    return joined(machine, node, (left, right), anew=kind is cst.Divide)


def negative(machine: Machine, value: Any) -> Any:
    """`-value`."""
    if is_data(value):
        return value.scaled_by(Factor(-1.0))
    known = machine.number_of(value)
    return made(-(number(known) or 0), known) if known is not None else Opaque("an expression", models=models_of(value))
