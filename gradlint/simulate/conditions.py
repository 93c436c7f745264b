"""Decides which way an unknown condition goes."""

from __future__ import annotations

from typing import Any

from gradlint.simulate.machine import Machine
from gradlint.simulate.values import OF_SIZES, Answer, Num, Opaque, Question, Tensor, number, settings_of
from gradlint.simulate.world import spells_resumption

_UNCERTAIN = frozenset((Tensor, Answer, Question, Opaque))
"""Kinds of values whose truth has to be assumed."""


def certain(value: Any) -> bool | None:
    """The truth of a value, if it is certain without any assumption."""
    kind = type(value)
    if kind is Num:
        return bool(value.value)
    if kind in _UNCERTAIN or getattr(value, "optional", False):
        return None
    if isinstance(value, (bool, int, float, str, list, tuple, dict, set, frozenset, range, type(None))):
        return bool(value)
    return True


def answered(value: Any) -> bool | None:
    """The truth value itself, if the value results from comparing numbers; None for everything else."""
    plain = value.value if type(value) is Num else value
    return plain if isinstance(plain, bool) else None


def settled(machine: Machine, value: Any) -> Any:
    """Replace accumulation steps that are tested for truth with their number in this world."""
    if machine.in_loop and type(value) in (Num, Opaque):
        machine.asks_for_none(value)
    if type(value) is not Opaque or not machine.counts_steps(value.identity):
        return value
    optional = value.has_default and value.default is None
    is_number = value.identity in machine.asked.numbers or type(value.default) is int or optional
    return machine.number_of(value) if is_number else value


def truth(machine: Machine, value: Any, usual: bool = True, *, decides: bool = False) -> bool:
    """The truth of a value in this world. `usual` is the answer for data, and for questions that never came up before."""
    value = settled(machine, value)
    known = certain(value)
    if known is not None:
        return known
    question = question_of(value)
    if question is None:
        return value.usual if isinstance(value, Answer) and value.usual is not None else usual
    return machine.answer(question, usual, decides=decides)


def varies(value: Any) -> bool:
    """Whether the data decide a truth. A check that numbers are finite does not count, since it has a usual answer."""
    return question_of(value) is None and not (isinstance(value, Answer) and value.usual is not None)


def of_data(value: Any) -> bool:
    """Whether other data may change a truth, even one that is certain while nothing goes wrong. Sizes only change at the end."""
    if isinstance(value, Answer) and value.text == OF_SIZES:
        return False
    return (type(value) is Num and value.usual) or (certain(value) is None and question_of(value) is None)


def negation(machine: Machine, value: Any) -> Any:
    """`not value`. The negation of a question is a question."""
    value = settled(machine, value)
    known = certain(value)
    if known is not None:
        settings = settings_of(value)
        usual = type(value) is Num and value.usual
        return Num(not known, settings, usual) if settings or usual else not known
    question = question_of(value)
    if question is None:
        flipped = not value.usual if isinstance(value, Answer) and value.usual is not None else None
        return Answer(value.text if isinstance(value, Answer) and value.text == OF_SIZES else "not data", flipped)
    return Question(question.key, not question.negated, question.default)


def both(machine: Machine, left: Any, right: Any) -> Any:
    """`left and right`, where the left side is not certain."""
    known = certain(right)
    if known is False:
        return right
    question = question_of(left)
    answered = machine.known(question) if question is not None else None
    if answered is not None:
        return right if answered else False
    if known is True:
        return left
    return _unsure(machine, left, right)


def either(machine: Machine, left: Any, right: Any) -> Any:
    """`left or right`, where the left side is not certain."""
    known = certain(right)
    if known is True and type(right) in (bool, Num):
        return right
    question = question_of(left)
    answered = machine.known(question) if question is not None else None
    if answered is not None:
        return left if answered else right
    if known is False:
        return left
    if known is True and question is not None:
        return left if machine.answer(question) else right
    return _unsure(machine, left, right)


def _unsure(machine: Machine, left: Any, right: Any) -> Any:
    """Of two unknown truths, the one that decides: data come before settings, which take their usual answer."""
    return left if question_of(left) is None else right


def gates(value: Any) -> frozenset[str]:
    """The settings that a condition depends on."""
    return settings_of(value) if number(value) is not None else frozenset()


def question_of(value: Any) -> Question | None:
    """The question that a value asks, if its truth is unknown."""
    if type(value) is Question:
        return value
    if type(value) is Opaque:
        if value.has_default and isinstance(value.default, (bool, int, float, str, type(None))):
            return Question(value.identity, default=bool(value.default))
        return Question(value.identity, default=False if spells_resumption(value.identity) else None)
    if getattr(value, "optional", False):
        return Question(f"{value.identity} is None", negated=True)
    return None
