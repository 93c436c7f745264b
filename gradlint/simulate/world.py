"""A world: what is assumed of everything that the text leaves open, the same for the whole of one run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

PRIMES = (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)
PASSES = 2
_EPOCHS = re.compile(r"epoch|^rounds?$|n_pass", re.I)


@dataclass(frozen=True)
class World:
    """The assumptions of one run.

    `n` is the value of the settings that count as accumulation steps: those of `n_names`, and those whose names spell it.
    `length` is how many batches a pass over data has whose length is unknown. `answers` are the questions that are answered
    otherwise than usual, `strings` the values of settings that are compared with strings.
    """

    n: int = 3
    length: int = 8
    n_names: frozenset[str] = frozenset()
    not_n: frozenset[str] = frozenset()
    answers: tuple[tuple[str, bool], ...] = ()
    strings: tuple[tuple[str, str], ...] = ()


@dataclass
class Asked:
    """What a run asked of its world.

    `numbers` are the settings that were asked for a number; `questions` the unknown conditions, each with the answer that it
    got; `gates` the settings that conditions around the update of weights depend on; `moduli` the plain numbers there.
    """

    numbers: dict[str, int | float] = field(default_factory=dict)
    questions: dict[str, bool] = field(default_factory=dict)
    deciding: set[str] = field(default_factory=set)
    compared: dict[str, list[str]] = field(default_factory=dict)
    gates: set[str] = field(default_factory=set)
    moduli: set[int] = field(default_factory=set)
    actual: dict[str, int | float] = field(default_factory=dict)


def spells_epochs(name: str) -> bool:
    """Whether a name says that it counts passes over the data."""
    return _EPOCHS.search(name) is not None
