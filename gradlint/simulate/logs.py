"""What is logged: the terms of what a call that prints or logs is handed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import libcst as cst

from gradlint.simulate.arithmetic import terms_in
from gradlint.simulate.machine import Machine
from gradlint.simulate.trace import What

LOGGED = "log"
"""What carries out a report that is printed or logged, and not only read."""

_LOGS = frozenset(
    (
        "print log info debug warning write add_scalar add_scalars log_metric log_metrics log_scalar log_dict log_stats "
        "set_postfix set_postfix_str set_description set_description_str scalar"
    ).split()
)


def log(machine: Machine, name: str, given: Iterable[Any], node: cst.CSTNode) -> None:
    """Note what a call logs, if its name says that it logs."""
    if name in _LOGS:
        terms = terms_in(given)
        if terms:
            machine.note(What.REPORT, node, terms=terms, through=LOGGED)
