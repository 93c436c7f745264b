"""Methods of values that vary with the data, and of gradients."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import libcst as cst

from gradlint.simulate.arithmetic import factor_of, of_data
from gradlint.simulate.attributes import part_of
from gradlint.simulate.contents import flattened, is_data
from gradlint.simulate.iteration import piece
from gradlint.simulate.joined import joined
from gradlint.simulate.machine import Machine
from gradlint.simulate.masks import spread
from gradlint.simulate.optimizing import backward, clear, clip, rescale
from gradlint.simulate.taken import along, of_weighted_rows, rows_in, taken_at
from gradlint.simulate.things import Gradient
from gradlint.simulate.trace import What
from gradlint.simulate.values import NORM, ONE, OTHERS, OVER_ROWS, Answer, Factor, Opaque, Pieces, Tensor, number

_KEEPS = frozenset(
    (
        "to float half bfloat16 double cuda cpu type requires_grad_ clone squeeze unsqueeze view reshape contiguous mean sum type_as "
        "clamp nan_to_num abs flatten retain_grad permute transpose expand nanmean pin_memory long int bool reshape_as view_as t"
    ).split()
)
_COPIES = frozenset("clone mean sum nanmean clamp nan_to_num abs".split())
"""Those of the above that return a copy."""
_SPLITS = frozenset("chunk split tensor_split unbind array_split".split())
_OPERATORS = {
    **dict.fromkeys(("div", "divide", "true_divide"), cst.Divide),
    **dict.fromkeys(("mul", "multiply"), cst.Multiply),
    "add": cst.Add,
    **dict.fromkeys(("sub", "subtract"), cst.Subtract),
}
_CHECKS = re.compile(
    r"(^|_)(is_?|has_?|any_?|check_?)?(nan|inf)s?($|_)|^is_?(nan|inf)$|overflow|^(is|are|has|any|check)_?(\w+_)?infinite$"
)
_FINITE = re.compile("(?<!in)finite")
_ASKS = frozenset("isnan isinf isfinite any all item is_cuda equal".split())


FUNCTIONS = frozenset((*_KEEPS, *_SPLITS, *_OPERATORS, *_ASKS))
"""Methods that `torch` also has as functions."""


def tensor_method(machine: Machine, value: Tensor, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of data, or of a loss."""
    if name == "backward":
        given = args[0] if args else kwargs.get("gradient")
        factor = factor_of(machine, cst.Multiply, given, node) if given is not None and not isinstance(given, bool) else ONE
        backward(machine, value, node, factor, retains=kwargs.get("retain_graph") is True)
        return None
    if name in ("item", "tolist", "detach") and of_norm(value):
        return value
    if name in ("item", "tolist"):
        return _reported(machine, value, node)
    if name in ("detach", "detach_"):
        if value.terms and not value.detached:
            machine.note(What.REPORT, node, terms=value.terms)
        return taken_at(value, node)
    if name in _OPERATORS and (args or kwargs):
        return of_data(machine, _OPERATORS[name], value, args[0] if args else next(iter(kwargs.values())), node)
    if name.endswith("_") and name[:-1] in _OPERATORS and args:
        made = of_data(machine, _OPERATORS[name[:-1]], value, args[0], node)
        if is_data(made):
            value.terms, value.draws, value.models, value.detached = made.terms, made.draws, made.models, made.detached
        return value
    if name in _SPLITS and value.terms is not None and _along(args, kwargs, name) not in (None, 0):
        return value  # features of what a model computes, not rows to be trained on in pieces
    if name in _SPLITS:
        count = _count(machine, args, kwargs, name)
        return Pieces(piece(machine, value) for _ in range(count))
    if name in ("items", "values", "keys", "entries"):
        return _entries(machine, value, name, node)
    if name in ("get", "pop") and args:
        return part_of(machine, value, args[0] if isinstance(args[0], (str, int)) else "?", node)
    if name == "sum" and not args and not kwargs and value.terms and not (value.kept.get(STACKED) or _of_weights(value)):
        return value.scaled_by(Factor(doubt=OVER_ROWS))
    if name in ("mean", "nanmean") and value.kept.get(STACKED) and value.terms:
        return value.scaled_by(_mean_of(value, args[0] if args else kwargs.get("dim"), node))
    if name in ("mean", "nanmean") and value.terms:
        return of_weighted_rows(value)
    if name == "sum" and value.terms is None and not args and not kwargs:
        return Tensor(value.draws, None, value.models, text=name)
    if name in _KEEPS:
        spread(machine, value, name)
        return value.copied() if name in _COPIES and value.terms else value
    if name == "size":
        return along(Tensor(value.draws, None, frozenset(), text=name), args[0] if args else kwargs.get("dim"), value)
    if name in ("numel", "nelement") and any(factor.doubt == OVER_ROWS for _, factor in value.terms or ()):
        return 1  # the sum is one number, however many rows it is over
    if name in ("numel", "dim", "nelement", "ne", "eq", "sum_", "argmax"):
        return Tensor(value.draws, None, frozenset(), text=name)
    if name == "sample":  # of a distribution: no gradient flows through it
        return Tensor(value.draws, None, value.models)
    if name in _ASKS:
        return Answer(name, usual_answer(name))
    if value.terms is None:
        return Tensor(value.draws, None, value.models)
    return joined(machine, node, flattened((value, *args, *kwargs.values())))


@lru_cache(maxsize=8192)
def usual_answer(name: str) -> bool | None:
    """The usual result of a check for finite values, judged by its name; None for other questions."""
    last = name.lower()
    if _FINITE.search(last):
        return not last.startswith(("not", "non", "has_non"))
    return False if _CHECKS.search(last) else None


def _of_weights(value: Tensor) -> bool:
    """Whether a value comes from no rows, but from an object through methods alone: `layer.weight.abs()`."""
    made = [source.node for source, _ in value.terms or ()]
    return not value.draws and all(
        isinstance(each, cst.Call) and isinstance(each.func, cst.Attribute) and not each.args for each in made
    )


def _mean_of(stacked: Tensor, dim: Any, node: cst.CSTNode) -> Factor:
    """What the mean of stacked losses multiplies each by. Over several micro-batches, it divides by their number."""
    if dim not in (None, 0, (0,)):
        return Factor(doubt="the mean of the loss is taken along another dimension")
    parts, terms = stacked.kept[STACKED], stacked.terms or ()
    if len({source.micro for source, _ in terms}) == parts:
        return Factor(1.0 / parts, divisors=(node,), by=float(parts))
    return Factor(1.0 / parts, weights=(1.0 / parts,))


STACKED = "<stacked>"
"""Marks stacked values. The value is how many they are."""

SCALED = "<scaled>"
"""Marks a loss that a context has scaled for its backward pass."""


def _reported(machine: Machine, value: Tensor, node: cst.CSTNode) -> Tensor:
    if value.scaler is not None or value.kept.get(SCALED):
        return Tensor(value.draws, None)  # nobody takes a scaled number for the loss
    if value.terms:
        machine.note(What.REPORT, node, terms=value.terms)
    return value if rows_in(value) else taken_at(value, node)


def _along(args: list[Any], kwargs: dict[str, Any], name: str) -> Any:
    """The dimension along which data are split, if the call names one."""
    place = 0 if name == "unbind" else 1
    return args[place] if place < len(args) else kwargs.get("dim")


def _count(machine: Machine, args: list[Any], kwargs: dict[str, Any], name: str) -> int:
    """How many pieces data are cut into. A number of chunks is taken as given; a size gives as many pieces as a window has."""
    given = args[0] if args else next(iter(kwargs.values()), None)
    known = number(machine.number_of(given)) if given is not None else None
    if name in ("chunk", "tensor_split", "array_split") and isinstance(known, int) and 0 < known <= 64:
        return known
    return machine.world.n


def _entries(machine: Machine, value: Tensor, name: str, node: cst.CSTNode) -> list[Any]:
    """The entries of a dictionary of data: those read by name so far, and others unless they are losses that have names."""
    keys = [each for each in value.kept if isinstance(each, str) and not each.startswith("<")]
    if value.terms is None or not keys:
        keys = [*(keys or ["first" if value.terms is None else "loss"]), OTHERS]
    if name == "keys":
        return keys
    values = [part_of(machine, value, key, node) for key in keys]
    return values if name == "values" else list(zip(keys, values, strict=True))


def gradient_method(
    machine: Machine, value: Gradient, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode
) -> Any:
    """A method of the gradient of some parameters."""
    given = args[0] if args else next(iter(kwargs.values()), None)
    if name in ("zero_",):
        clear(machine, value.owner, node)
        return value
    if name in ("div_", "mul_", "true_divide_") and of_norm(given):
        return clip(machine, [value], {}, node)
    if name in ("div_", "mul_", "true_divide_"):
        rescale(machine, value.owner, factor_of(machine, cst.Multiply if name == "mul_" else cst.Divide, given, node), node)
        return value
    if _OPERATORS.get(name) in (cst.Divide, cst.Multiply):
        factor = factor_of(machine, cst.Multiply if name == "mul" else cst.Divide, given, node)
        return Gradient(owner=value.owner, factor=value.factor.times(factor))
    if name in ("add_", "sub_") and not isinstance(given, (Gradient, Opaque)):
        return value  # an added value does not change the terms
    if name in ("copy_", "set_") and isinstance(given, Gradient):
        if given.factor is not ONE:
            rescale(machine, value.owner, given.factor, node)
        return value
    if name in ("detach_", "detach", "clone", "to", "float", "view", "flatten", "contiguous", "cpu", "cuda", "coalesce"):
        return value
    if name.endswith("_"):
        rescale(machine, value.owner, Factor(doubt=f"`{name}` changes the gradients"), node)
        return value
    if name in ("norm", "abs", "max", "mean", "sum", "square", "pow", "item"):
        return norm_of_gradients()
    if name in _ASKS:
        return Answer(name, usual_answer(name))
    return Opaque(f"grad.{name}()")


_SAME_ANSWER = frozenset(("any", "all", "item", "bool", "cpu", "detach", "logical_not"))


def answer_method(machine: Machine, value: Answer, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of a truth that the data decide."""
    return value if name in _SAME_ANSWER else Tensor(frozenset(), None, text=name)


def norm_of_gradients() -> Tensor:
    """The norm of some gradients, or another number computed from them."""
    return Tensor(frozenset(), None, NORM, text="norm")


def of_norm(value: Any) -> bool:
    """Whether a number was computed from gradients alone. Multiplying gradients by it clips them."""
    return is_data(value) and value.models >= NORM and not value.draws
