"""What a file must hold so that a rule can find anything in it.

This module imports neither the rules nor a parser, as most files of a tree are told by their bytes alone. The table is not
trusted: the tests run every rule with nothing but its own entry over all that it is known to find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_CALLED = r"""["'\])\s\\]*\("""
"""What may stand between a name and what is given to it: `fns["backward"](loss)`, `loss.backward (`, but no comment."""

_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")


@dataclass(frozen=True)
class Sign:
    """Something that shows in the bytes of a file: one of the words, with what its pattern asks for around it.

    To look for a word costs a fraction of what a pattern costs, so the words are asked first.
    """

    forms: tuple[tuple[bytes, str], ...] = ()
    """Words, each with a pattern that must be found where the word is, or an empty one."""

    names: Callable[[str], bool] | None = None
    """Without forms: what is true of one of the identifiers."""

    @property
    def words(self) -> tuple[bytes, ...]:
        """The words of which one must be there."""
        return tuple(word for word, _ in self.forms)

    def shows(self, data: bytes) -> bool:
        """Whether the bytes can hold the sign."""
        if self.names is not None:
            return any(map(self.names, {word.decode() for word in _WORD.findall(data)}))
        return any(word in data and (not pattern or _compiled(pattern).search(data)) for word, pattern in self.forms)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


def _called(*names: str) -> Sign:
    """One of the functions or methods is called; a name may be the end of a longer one."""
    return Sign(tuple((name.encode(), name + _CALLED) for name in names))


def _named(*names: str) -> Sign:
    return Sign(tuple((name.encode(), "") for name in names))


def _defined(name: str) -> Sign:
    return Sign(((name.encode(), rf"def\s+{name}\b"),))


def _spells_steps(word: str) -> bool:
    from gradlint.model.vocabulary import UNTAUGHT

    return UNTAUGHT.spells_steps(word)


def _flags_boundary(word: str) -> bool:
    from gradlint.model.vocabulary import BOUNDARY_ARGUMENTS

    return word in BOUNDARY_ARGUMENTS


Need = tuple[Sign, ...]
"""Signs that must all show, the rarest first."""

BACKWARD = _called("backward", "scaler")
"""A backward pass, or a scaler that runs one."""

STEP = _called("step", "scaler")
"""A step of an optimizer, or a scaler that takes one."""

COUNT = Sign(names=_spells_steps)
"""A name under which people keep the accumulation steps."""

FLAG = Sign(names=_flags_boundary)
"""An argument that tells a wrapper of the optimizer to step."""

NO_SYNC = _named("no_sync", "no_backward_sync")
ADAM = Sign(((b"Adam", rf"\b[NR]?Adam(?:{_CALLED}|\s+as\b)"),))
WINDOW = _named("accumulate_grad_batches", "gradient_accumulation_steps")
MAX_STEPS = _named("max_steps")
TRAINER = _named("Trainer", "TrainingArguments")
TRAINING_STEP = _defined("training_step")
COMPUTE_LOSS = _defined("compute_loss")
TRANSFORMERS = _named("transformers")
COMMENT = Sign(((b"gradlint", r"gradlint:\s*ignore"), (b"GRD", r"noqa\s*:[^\r\n]*GRD\d")))
"""A suppression comment of ours, which may be unused."""

UPDATES: tuple[Need, ...] = ((BACKWARD, STEP), (BACKWARD, FLAG))
"""What most rules are about: a backward pass and the step that uses its gradients."""

DIVIDES: tuple[Need, ...] = (*UPDATES, (BACKWARD, COUNT))
"""A loss that is divided shows without a step, too."""

NEEDS: Mapping[str, tuple[Need, ...]] = {
    "GRD001": ((COMMENT,),),
    "GRD102": (*DIVIDES, (WINDOW, TRAINING_STEP)),
    "GRD106": DIVIDES,
    "GRD501": ((ADAM,),),
    "GRD603": ((BACKWARD, NO_SYNC),),
    "GRD701": ((WINDOW, MAX_STEPS, TRAINER),),
    "GRD702": ((COMPUTE_LOSS, TRANSFORMERS, TRAINER),),
}
"""Alternatives by the code of the rule; those of the other rules are `UPDATES`."""

EVERYTHING: tuple[Need, ...] = tuple(dict.fromkeys(need for needs in (UPDATES, *NEEDS.values()) for need in needs))
"""What any rule can start from."""


def needs_of(code: str) -> tuple[Need, ...]:
    """The alternatives of a rule: a file that meets none of them holds no finding of it."""
    return NEEDS.get(code, UPDATES)
