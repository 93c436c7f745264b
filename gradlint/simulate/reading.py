"""Records where a script reads gradients that were cleared: it would find None, or have nothing to report."""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.simulate.machine import Machine
from gradlint.simulate.owners import optimizers_of
from gradlint.simulate.things import Gradient


def gradient_of(machine: Machine, value: Any, node: cst.CSTNode) -> Gradient:
    """The gradient of some weights; a risk if all of them were cleared."""
    chosen = optimizers_of(machine, value)
    if machine.trained and chosen and not any(each.held for each in chosen):
        machine.risks.add(f"`{machine.compiler.spelled(node)}` would find no gradients")
    return Gradient(owner=value)
