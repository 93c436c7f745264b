"""Schedules that a LightningModule returns to its Trainer, which advances them once per epoch by default.

Based on `lightning/pytorch/core/optimizer.py` (2.6): `_configure_optimizers` distinguishes the forms of the return value, and
`LRSchedulerConfig.interval` defaults to "epoch".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import dotted, keywords, last_name, literal, subnodes, walk

_LENGTHS = {
    "OneCycleLR": ("total_steps", 2),
    "CosineAnnealingLR": ("T_max", 1),
    "LinearLR": ("total_iters", 3),
    "PolynomialLR": ("total_iters", 1),
    "get_scheduler": ("num_training_steps", 3),
    "get_linear_schedule_with_warmup": ("num_training_steps", 2),
    "get_cosine_schedule_with_warmup": ("num_training_steps", 2),
    "get_cosine_with_hard_restarts_schedule_with_warmup": ("num_training_steps", 2),
    "get_polynomial_decay_schedule_with_warmup": ("num_training_steps", 2),
}
"""The length argument of each schedule: its keyword and its position."""

_STEPS = re.compile(r"^(estimated_stepping_batches|(max|total|num|n)_?(train(ing)?_?)?steps|(num_|n_)?warm_?up_steps|t_total)$")
"""Matches names that count optimizer steps."""
_MODULES = frozenset(
    f"{root}.LightningModule" for root in ("lightning", "lightning.pytorch", "pytorch_lightning", "pytorch_lightning.core")
)
_TOLD = frozenset({"lr_scheduler_step", "lr_schedulers", "optimizer_step", "automatic_optimization"})
"""Names in a module that advances its schedules itself."""


@dataclass(frozen=True, eq=False)
class EpochSchedule:
    """A schedule returned without an interval: the expression or the dictionary around it, and its length in steps."""

    node: cst.BaseExpression
    built: cst.Call
    length: cst.BaseExpression
    exact: bool
    """Whether the length is the Trainer's own number of optimizer steps."""


def per_epoch(statement: cst.CSTNode, facts: Facts) -> Iterator[EpochSchedule]:
    """The schedules of a module that have a length in steps but advance once per epoch."""
    if not isinstance(statement, cst.ClassDef) or len(statement.bases) != 1:
        return
    base = facts.qualify(statement.bases[0].value)
    if base not in _MODULES or any(_tells(each) for each in walk(statement.body)):
        return
    for method in statement.body.body:
        if isinstance(method, cst.FunctionDef) and method.name.value == "configure_optimizers":
            yield from _Method(method, statement.body).schedules()


def _tells(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value in _TOLD


class _Method:
    """A `configure_optimizers` method. Names with a single value are replaced by it."""

    def __init__(self, node: cst.FunctionDef, module: cst.BaseSuite) -> None:
        self.nodes = list(_own(node.body))
        functions = [(f"self.{each.name.value}", each) for each in module.body if isinstance(each, cst.FunctionDef)]
        functions += [(each.name.value, each) for each in self.nodes if isinstance(each, cst.FunctionDef)]
        self.functions = dict(functions)
        self.values: dict[str, list[cst.BaseExpression | None]] = {}
        for each in self.nodes:
            if isinstance(each, cst.Assign):
                for target in each.targets:
                    for name in walk(target.target):
                        if isinstance(name, (cst.Name, cst.Attribute)):
                            whole = each.value if name is target.target else None
                            self.values.setdefault(dotted(name) or "", []).append(whole)
            elif isinstance(each, (cst.AugAssign, cst.AnnAssign, cst.NamedExpr, cst.For)):
                for name in walk(each.target):
                    self.values.setdefault(dotted(name) or "", []).append(None)

    def value(self, node: cst.BaseExpression, hops: int = 4) -> cst.BaseExpression:
        """The value of a name, if it has only one."""
        given = self.values.get(dotted(node) or "", ())
        if hops and len(given) == 1 and given[0] is not None and not self._is_changed(node):
            return self.value(given[0], hops - 1)
        return node

    def _is_changed(self, node: cst.BaseExpression) -> bool:
        """Whether code sets an item or an attribute of a name, or calls one of its methods."""
        name = dotted(node)
        for each in self.nodes:
            if isinstance(each, cst.AssignTarget) and isinstance(each.target, (cst.Subscript, cst.Attribute)):
                if dotted(each.target.value) == name:
                    return True
            if isinstance(each, cst.Call) and isinstance(each.func, cst.Attribute) and dotted(each.func.value) == name:
                return True
        return False

    def schedules(self) -> Iterator[EpochSchedule]:
        for each in self.nodes:
            if isinstance(each, cst.Return) and each.value is not None:
                for node in self._returned(self.value(each.value)):
                    found = self._schedule(node)
                    if found is not None:
                        yield found

    def _returned(self, value: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
        """The returned schedules, or the dictionaries that contain them."""
        if is_dictionary(value):
            entry = _entry(value, "lr_scheduler")
            yield from (entry,) if entry is not None else ()
        elif isinstance(value, (cst.Tuple, cst.List)):
            parts = [self.value(each.value) for each in value.elements]
            if len(parts) == 2 and isinstance(parts[0], cst.List):
                schedules = parts[1]
                yield from (
                    (each.value for each in schedules.elements) if isinstance(schedules, cst.List) else (value.elements[1].value,)
                )
            else:
                for part in parts:
                    entry = _entry(part, "lr_scheduler")
                    yield from (entry,) if entry is not None else ()

    def _schedule(self, node: cst.BaseExpression) -> EpochSchedule | None:
        value = self.value(node)
        place = node
        if is_dictionary(value):
            inner = _entry(value, "scheduler")
            if inner is None or _is_open(value) or _entry(value, "interval") is not None:
                return None
            place, value = value, self.value(inner)
        if not isinstance(value, cst.Call):
            return None
        length = self._length(value)
        return EpochSchedule(place, value, length, self._is_exact(length)) if length is not None else None

    # Lengths

    def _length(self, call: cst.Call) -> cst.BaseExpression | None:
        """The length that a schedule gets, if it counts steps."""
        known = _LENGTHS.get(last_name(call.func) or "")
        if any(arg.star for arg in call.args):
            return None
        given = keywords(call)
        plain = [arg.value for arg in call.args if arg.keyword is None]
        if last_name(call.func) == "get_scheduler" and literal(given.get("name", plain[0] if plain else call)) == "constant":
            return None  # the rate never changes
        if last_name(call.func) == "LambdaLR":
            factor = given.get("lr_lambda", call.args[1].value if len(call.args) > 1 else None)
            return self._bound_of(self.value(factor)) if factor is not None else None
        if known is None:
            return None
        if known[0] == "total_steps" and "steps_per_epoch" in given:
            steps = given["steps_per_epoch"]
            return steps if self._counts(steps, length=True) else None
        length = given.get(known[0], plain[known[1]] if len(plain) > known[1] else None)
        return length if length is not None and self._counts(length) else None

    def _bound_of(self, factor: cst.BaseExpression) -> cst.BaseExpression | None:
        """A number of steps that the factor function compares its count with, or divides it by."""
        function = factor if isinstance(factor, cst.Lambda) else self.functions.get(dotted(factor) or "")
        names = [each.name.value for each in function.params.params if each.name.value != "self"] if function is not None else []
        if function is None or len(names) != 1 or "epoch" in names[0].lower():
            return None
        sides = [pair for node in walk(function.body) for pair in _held_against(node)]
        bounds = (bound for count, bound in sides if names[0] in _names(count) and names[0] not in _names(bound))
        return next(filter(self._counts, bounds), None)

    def _counts(self, node: cst.BaseExpression, *, length: bool = False) -> bool:
        """Whether a number counts steps: it comes from the Trainer, is named so, or is a product of batches and epochs."""
        parts = self._parts(node)
        divided = [each.right for each in parts if isinstance(each, cst.BinaryOperation) and _divides(each)]
        if any("accum" not in " ".join(_names(part)) for part in divided):
            return False
        names = {name for part in parts for name in _names(part)}
        batches = (
            any(isinstance(each, cst.Call) and last_name(each.func) == "len" for each in parts) or "num_training_batches" in names
        )
        if length:
            return batches
        epochs = any("epoch" in name.lower() for name in names)
        return (batches and epochs) or (not epochs and any(map(_STEPS.search, names)))

    def _is_exact(self, node: cst.BaseExpression) -> bool:
        return dotted(self.value(node)) == "self.trainer.estimated_stepping_batches"

    def _parts(self, node: cst.BaseExpression, hops: int = 4) -> list[cst.CSTNode]:
        """The nodes of an expression and of the values of its names."""
        found = list(walk(node))
        for each in walk(node) if hops else ():
            if isinstance(each, (cst.Name, cst.Attribute)) and (value := self.value(each, 1)) is not each:
                found += self._parts(value, hops - 1)
        return found


def _own(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes of a body, without those of nested functions."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if not isinstance(current, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
            stack.extend(reversed(subnodes(current)))


def _held_against(node: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression]]:
    """The two sides of a comparison or a division."""
    if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
        yield node.left, node.comparisons[0].comparator
    elif isinstance(node, cst.BinaryOperation) and _divides(node):
        yield node.left, node.right


def is_dictionary(node: cst.CSTNode) -> bool:
    """Whether an expression is a dictionary: `{...}` or `dict(...)`."""
    return isinstance(node, cst.Dict) or (isinstance(node, cst.Call) and dotted(node.func) == "dict")


def _entry(node: cst.CSTNode, key: str) -> cst.BaseExpression | None:
    if isinstance(node, cst.Call):
        return keywords(node).get(key) if is_dictionary(node) else None
    elements = node.elements if isinstance(node, cst.Dict) else ()
    return next((e.value for e in elements if isinstance(e, cst.DictElement) and literal(e.key) == key), None)


def _is_open(node: cst.CSTNode) -> bool:
    """Whether a dictionary has entries that are not known."""
    if isinstance(node, cst.Call):
        return any(each.keyword is None for each in node.args)
    elements = node.elements if isinstance(node, cst.Dict) else ()
    return any(not isinstance(each, cst.DictElement) or not isinstance(each.key, cst.SimpleString) for each in elements)


def _divides(node: cst.BinaryOperation) -> bool:
    return isinstance(node.operator, (cst.Divide, cst.FloorDivide))


def _names(node: cst.CSTNode) -> Sequence[str]:
    return [each.value for each in walk(node) if isinstance(each, cst.Name)]
