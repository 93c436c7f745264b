"""What is logged: the terms of what a call that prints or logs is handed, and what else becomes of numbers taken of a loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import libcst as cst

from gradlint.simulate.contents import flattened, terms_in, values_in
from gradlint.simulate.machine import Machine
from gradlint.simulate.taken import is_taken
from gradlint.simulate.tensors import usual_answer
from gradlint.simulate.trace import What

LOGGED = "log"
"""What carries out a report that is printed or logged, and not only read."""
TOLD = "effect"
"""What carries out the report of a number that is handed to something out of sight, which gives nothing back."""
RETURNED = "return"
"""What carries out the report of a number that is given to a caller out of sight."""

_LOGS = frozenset(
    (
        "print log info debug warning write add_scalar add_scalars log_metric log_metrics log_scalar log_dict log_stats "
        "set_postfix set_postfix_str set_description set_description_str scalar"
    ).split()
)


def log(machine: Machine, name: str, given: Iterable[Any], node: cst.CSTNode) -> None:
    """Note what a call logs, if its name says that it logs."""
    if name in _LOGS:
        given = list(given)
        terms = terms_in(given)
        if terms:
            shows = tuple(values_in(given, _arguments(node)))
            machine.note(What.REPORT, node, terms=terms, through=LOGGED, shows=shows)


def tell(machine: Machine, name: str, given: Sequence[Any], node: cst.CSTNode) -> None:
    """Note the numbers taken of a loss that are handed to what is called for its effect alone: a meter, a plot."""
    if id(node) in machine.effects and name not in _LOGS and not name.endswith("_") and usual_answer(name) is None:
        _report(machine, given, node, TOLD)


def give(machine: Machine, value: Any, node: cst.CSTNode) -> None:
    """Note the numbers taken of a loss that a root returns."""
    _report(machine, [value], node, RETURNED)


def _report(machine: Machine, given: Sequence[Any], node: cst.CSTNode, through: str) -> None:
    taken = [each for each in flattened(given) if is_taken(each)]
    if taken:
        terms = tuple(term for each in taken for term in each.terms or ())
        machine.note(What.REPORT, node, terms=terms, through=through, shows=tuple((each.terms, None) for each in taken))


def _arguments(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The expressions of what a call is handed, where each is one value."""
    args = node.args if isinstance(node, cst.Call) else ()
    return [] if any(each.star for each in args) else [each.value for each in args]
