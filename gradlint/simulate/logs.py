"""Records what is logged, and what else happens to numbers that were taken from a loss."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import receiver_name
from gradlint.simulate.contents import flattened, terms_in, values_in
from gradlint.simulate.machine import Machine
from gradlint.simulate.taken import is_taken, taken_at
from gradlint.simulate.tensors import usual_answer
from gradlint.simulate.trace import What
from gradlint.simulate.values import Tensor

LOGGED = "log"
"""The `through` of a report that is printed or logged, and not only read."""
TOLD = "effect"
"""The `through` of a report by a call for its effect: unseen code receives the number, and returns nothing."""
RETURNED = "return"
"""The `through` of a report of a number that is returned to an unseen caller."""

_LOGS = frozenset(
    (
        "print log info debug warning write add_scalar add_scalars log_metric log_metrics log_scalar log_dict log_stats "
        "set_postfix set_postfix_str set_description set_description_str scalar"
    ).split()
)
_METERS = re.compile(r"meter|logger|(^|_)(avg|average|running)(_|$)", re.I)


def log(machine: Machine, name: str, given: Iterable[Any], node: cst.CSTNode) -> None:
    """Record what a call logs, if its name says that it logs."""
    if name in _LOGS:
        given = list(given)
        terms = terms_in(given)
        if terms:
            shows = tuple(values_in(given, _arguments(node)))
            machine.note(What.REPORT, node, terms=terms, through=LOGGED, shows=shows)


def tell(machine: Machine, name: str, given: Sequence[Any], node: cst.CSTNode) -> None:
    """Record numbers taken from a loss that are passed to a call made only for its effect, such as a meter or a plot.

    A meter takes the number from a loss itself.
    """
    if id(node) in machine.effects and name not in _LOGS and not name.endswith("_") and usual_answer(name) is None:
        losses = (taken_at(each, node) if each.terms else each for each in flattened(given) if type(each) is Tensor)
        _report(machine, list(losses) if _is_meter(name, node) else given, node, TOLD)


def _is_meter(name: str, node: cst.CSTNode) -> bool:
    """Whether a method belongs to a meter, by its name: `metric_logger.update(loss=loss)`."""
    owner = receiver_name(node)
    return name == "update" and _METERS.search(owner or "") is not None


def give(machine: Machine, value: Any, node: cst.CSTNode) -> None:
    """Record the numbers taken from a loss that a root returns."""
    _report(machine, [value], node, RETURNED)


def _report(machine: Machine, given: Sequence[Any], node: cst.CSTNode, through: str) -> None:
    taken = [each for each in flattened(given) if is_taken(each)]
    if taken:
        terms = tuple(term for each in taken for term in each.terms or ())
        machine.note(What.REPORT, node, terms=terms, through=through, shows=tuple((each.terms, None) for each in taken))


def _arguments(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The argument expressions of a call, if each is a single value."""
    args = node.args if isinstance(node, cst.Call) else ()
    return [] if any(each.star for each in args) else [each.value for each in args]
