"""Everything a run assumes where the text leaves something open: numbers, truths, and which settings are N."""

from __future__ import annotations

from typing import Any

from gradlint.simulate.patience import Patience
from gradlint.simulate.values import DRIFT, Num, Opaque, Question, Tensor, number
from gradlint.simulate.world import (
    DRIFTS,
    PRIMES,
    WINDOW_OF,
    Asked,
    World,
    assumed_number,
    last_part,
    measures,
    spells_counter,
    spells_epochs,
    spells_pass,
    spells_processes,
    spells_rows,
    spells_setting,
)

CALLERS_INDEX = "an index that the caller counts"
"""The name of the setting for a root's parameter that is an index which its caller passes."""


STEPS_OUT_OF_SIGHT = ".gradient_accumulation_steps()"
"""How to recognise the accumulation steps of an engine that is built elsewhere. They are the same as the text's N."""

ROWS = 2
"""The batch size if a script would take too long to collect more rows."""


class Assumptions:
    """The assumptions of one run, and the questions that it asked."""

    def __init__(self, world: World, words: Any) -> None:
        self.world = world
        self.words = words
        self.asked = Asked()
        self.answers = dict(world.answers)
        self.strings = dict(world.strings)
        self.numbers = dict(world.numbers)
        self.incremented: frozenset[str] = frozenset()
        """Names that the text increments: they are counters, not settings."""
        self.cuts: frozenset[str] = frozenset()
        """The last names of the settings that a range uses as sizes to cut something into pieces."""
        self.turn: int | None = None
        """How often the unseen caller has called the root function, which is also what an unknown counter counts."""
        self.units: frozenset[str] = frozenset()
        """The divisors and totals in a root function. They are not counters, whatever their names are."""
        self.beside: dict[Any, tuple[Any, int]] = {}
        """The first stream that an iteration drew from by hand, and the item it drew."""
        self.called: set[int] = set()
        """The calls of functions of the text that a run entered."""
        self.counted = {CALLERS_INDEX}
        self.quotients: dict[float, set[int]] = {}
        """The quotients by plain whole numbers, with these divisors."""
        self.split: set[str] = set()
        """Settings that were divided by N: they may count per window."""
        self.listed: dict[int, str] = {}
        """The items of data collections that a display iterated over. Each may be a batch, or data itself."""
        self.in_windows: set[str] = set()
        """Lengths of data that are deliberately a multiple of N."""
        self.patience = Patience()
        self.varying: set[str] = set()
        """Accumulation steps that change during the run, so that conditions on them are unknown."""

        self._told: dict[str, int] = {}
        """The first number, within a loop, of each name that looks like accumulation steps."""
        self._counting: dict[str, bool] = {}
        """Caches whether each name is N."""

    @property
    def in_loop(self) -> bool:
        """Whether a loop of the text is running."""
        raise NotImplementedError

    @property
    def iterations_before(self) -> int:
        """How many iterations of the innermost loop came before the current one."""
        raise NotImplementedError

    def counts_steps(self, name: str) -> bool:
        """Whether a setting is N in this world."""
        known = self._counting.get(name)
        if known is None:
            known = self._counting[name] = self._counts(name)
        return known

    def _counts(self, name: str) -> bool:
        if name in self.world.not_n or last_part(name) in self.incremented:
            return False
        if name in self.world.n_names or name.startswith(WINDOW_OF):
            return True
        return bool(self.words.spells_steps(last_part(name))) and not measures(last_part(name))

    def setting(self, name: str, default: Any = None) -> Any:
        """The number that a setting has in this world."""
        if (
            self.turn is not None
            and default is None
            and spells_counter(last_part(name))
            and not (spells_setting(name) or name in self.units)
        ):
            self.counted.add(name)
            return Num(self.turn, frozenset((name,)))
        known = self.asked.numbers.get(name)
        if known is None:
            known = self._assumed(name, number(default))
            self.asked.numbers[name] = known
            actual = self._actual(default)
            if actual is not None:
                self.asked.actual[name] = actual
        return Num(known, frozenset((name,)))

    def _actual(self, default: Any) -> int | float | None:
        """The real value of a default, outside of this world's assumptions about other settings."""
        if type(default) is not Num:
            return number(default)
        return self.asked.actual.get(next(iter(default.of))) if len(default.of) == 1 else None

    def _assumed(self, name: str, default: int | float | None) -> int | float:
        if name in self.numbers:
            return self.numbers[name]
        if self.counts_steps(name):
            # The same name in two places, such as an argument and an engine's configuration, is the same number.
            if name.endswith(STEPS_OUT_OF_SIGHT):
                return self.world.n
            others = (each for each in self.asked.numbers if not each.endswith(STEPS_OUT_OF_SIGHT))
            counted = dict.fromkeys(last_part(each) for each in others if self.counts_steps(each))
            return self.world.n + 4 * [*counted, last_part(name)].index(last_part(name))
        if name in self.world.paces:
            return self.world.n
        last = last_part(name)
        if spells_pass(last):
            return self.world.length
        known = assumed_number(name, default, self.world.processes, self.world.passes)
        if known is not None:
            return known
        if spells_epochs(last) and default != 0:
            return self.world.passes
        if self.world.small and spells_rows(last):
            return ROWS
        if default is not None and (isinstance(default, float) or default < 100):
            return default
        return PRIMES[len(self.asked.numbers) % len(PRIMES)]

    def asks_for_none(self, value: Any, node: Any = None) -> None:
        """Record that a node tests if accumulation steps are set. A number that counts down from them is not N."""
        names = value.of if type(value) is Num else (value.identity,) if type(value) is Opaque else ()
        if type(value) is Num and isinstance(value.value, bool):
            return  # a truth about N, not N
        if len(names) == 1 and self.counts_steps(name := next(iter(names))):
            is_steps = type(value) is Opaque or value.value == self.asked.numbers.get(name)
            self.asked.absent[node, name] = is_steps and self.asked.absent.get((node, name), True)

    def number_of(self, value: Any) -> Any:
        """The value as a number, if it is or may be one."""
        if type(value) is Opaque:
            if type(value.default) is Opaque:
                return self.number_of(value.default)  # an option whose default comes from the environment
            if value.has_default and not isinstance(value.default, (int, float, Num, type(None))):
                return None
            if type(value.default) is Num:
                return value.default
            return self.setting(value.identity, value.default)
        return value if number(value) is not None else None

    def named(self, name: str, value: Any, frame: Any) -> Any:
        """A number whose name looks like accumulation steps. It becomes a setting, even if it is certain, unless it is 1.

        The length of a known object is not a setting.
        """
        plain = number(value)
        if self.counts_steps(name) and _is_unknown(value) and getattr(value, "identity", "") != name:
            if self.in_loop and type(value) is Tensor:
                self.varying.add(name)
                if value.models >= DRIFT:
                    return self._drifted(name)
            return value if type(value) is Opaque and self.counts_steps(value.identity) else self.setting(name)
        if isinstance(plain, float) and plain.is_integer() and type(value) is float:
            plain = int(plain)
        if not isinstance(plain, int) or isinstance(plain, bool) or not self.counts_steps(name):
            return value
        if type(value) is int and self.in_loop and self._told.setdefault(name, value) != value:
            return value  # an index, whatever its name is: it changes each time
        if plain < 2 and type(value) is not Num:
            return value
        if isinstance(value, Num) and any(self.counts_steps(each) or each.startswith("len(") for each in value.of):
            return value
        return self.setting(name, plain)

    def _drifted(self, name: str) -> Any:
        """The accumulation steps in this iteration, if a count decides them."""
        computed = self.asked.drifting.get(name, 0)
        self.asked.drifting[name] = computed + 1
        known = self.setting(name)
        late = self.world.drift is not None and computed >= self.world.drift
        return Num(known.value + DRIFTS, known.of) if late else known

    def plays_out(self, names: frozenset[str]) -> bool:
        """Whether the changes of some settings are fully explained by the way this world lets N grow."""
        changing = self.varying & names
        return bool(changing) and changing <= self.world.growing

    def overridable(self, name: str, value: Any) -> Any:
        """A default that a caller or the command line may replace. It becomes a setting if it counts accumulation steps."""
        plain = number(value)
        if isinstance(plain, int) and not isinstance(plain, bool) and self.counts_steps(name.rsplit(".", 1)[-1]):
            return self.setting(name, value)
        return value

    def answer(self, question: Question, usual: bool = True, *, decides: bool = True) -> bool:
        """This world's answer to an unknown condition."""
        key = question.key
        if self.in_loop and last_part(key) in self.words.boundaries:
            return self._closes(key) != question.negated
        known = self.answers.get(key)
        if known is None:
            known = self.asked.questions.get(key)
        if known is None and self.world.processes > 1 and spells_processes(key):
            known = True
        if known is None:
            known = question.default if question.default is not None else usual != question.negated
        self.asked.questions[key] = known
        if decides:
            self.asked.deciding.add(key)
            if self.in_loop:
                self.asked.looped.add(key)
        return known != question.negated

    def refutes(self, question: Question, leads: bool) -> None:
        """Record that the way to a loop needs another answer than the one given before: an option that was off builds nothing."""
        needed = leads != question.negated
        if self.asked.questions.get(question.key, needed) != needed:
            self.asked.refuted[question.key] = needed

    def seek(self, question: Question, wanted: bool) -> bool:
        """This world's answer to a condition that leads to a loop or past it. By default, it leads to the loop."""
        known = self.answers.get(question.key, wanted != question.negated)
        self.asked.passed_by[question.key] = known
        return known != question.negated

    def _closes(self, flag: str) -> bool:
        """Whether a flag that the configuration lists as a boundary is true: on every N-th iteration of the innermost loop."""
        name = f"{WINDOW_OF}{flag}"
        steps = number(self.setting(name))
        self.asked.gates.add(name)
        return steps is not None and (self.iterations_before + 1) % steps == 0

    def known(self, question: Question) -> bool | None:
        """The answer already given to a question, if any."""
        found = self.answers.get(question.key, self.asked.questions.get(question.key))
        return None if found is None else found != question.negated


def _is_unknown(value: Any) -> bool:
    """Whether a value may be any number: it comes from unseen code, and not from data."""
    if type(value) is Tensor:
        return not value.draws
    return type(value) is Opaque and not isinstance(value.default, str)
