"""Nonlinear calls: their result is a new term, however their arguments are scaled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gradlint.simulate.averaging import is_trained
from gradlint.simulate.contents import is_data
from gradlint.simulate.contrast import class_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.values import Opaque

_OF_TORCH = re.compile(
    r"^torch\.(nn\.functional\.)?(\w+_loss|\w*cross_entropy\w*|kl_div|\w*softmax|\w*sigmoid|softplus|exp|log)$"
)
"""Nonlinear functions of PyTorch. Nobody passes a loss to them; they produce a loss, or a part of one."""
_CRITERION = re.compile(r"loss|criteri|entropy", re.I)


def begins_anew(machine: Machine, callee: Any, given: Sequence[Any]) -> bool:
    """Whether a call runs a trained model or a criterion.

    A criterion is recognised by its name, and by an argument from the batch besides the model's output.
    """
    if type(callee) is Opaque and _OF_TORCH.search(callee.identity):
        return True
    if is_trained(machine, callee):
        return True
    beside = any(is_data(each) and each.terms is None and each.draws for each in given)
    return beside and _CRITERION.search(class_of(callee)) is not None
