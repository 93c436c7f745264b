"""Whether a loss is divided by a count that is not the window's."""

from __future__ import annotations

import libcst as cst

from gradlint.model.data.losses import Division
from gradlint.model.data.window import Steps
from gradlint.model.names.vocabulary import Taught


def another_count(division: Division, steps: Steps, words: Taught) -> bool:
    """Provably another number, or another accumulation setting of the same configuration."""
    if division.by_steps or isinstance(division.dividend, cst.BinaryOperation):
        return False
    spelled = {name for name in division.names if words.spells_steps(name)}
    if division.of_factor and not spelled:
        return False
    if division.value is not None and steps.value is not None:
        plain = spelled or division.inverse or isinstance(division.divisor, cst.Integer)
        return bool(plain) and division.value > 1 and steps.value > 1 and division.value != steps.value
    homes = {name.rpartition(".")[0] for name in steps.names if words.spells_steps(name)} - {"", "self"}
    return any(name.rpartition(".")[0] in homes for name in spelled)
