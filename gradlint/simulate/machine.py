"""The machine that runs code abstractly: its budget, its stack, what it assumes, and the events that it notes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import libcst as cst

from gradlint.simulate.gradients import Gradients
from gradlint.simulate.trace import Event, Guard, Stepper, Trace, What
from gradlint.simulate.values import Num, Opaque, Question, Tensor, number, settings_of
from gradlint.simulate.world import (
    PASSES,
    PRIMES,
    Asked,
    World,
    assumed_number,
    last_part,
    measures,
    spells_counter,
    spells_epochs,
    spells_resumption,
)

STEPS = 12_000
"""Statements and calls that one run may execute."""

CALLERS_INDEX = "an index that the caller counts"

DEPTH = 24
"""Calls of the text within each other."""


class Stopped(Exception):
    """The run ends here; what was seen until now stands. `reason` is empty where enough was seen."""

    def __init__(self, reason: str = "", node: cst.CSTNode | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


class Raised(Exception):
    """An exception of the simulated code, by the name of its class."""

    def __init__(self, name: str, value: Any = None) -> None:
        super().__init__(name)
        self.name = name
        self.value = value


class Machine:
    """The state of one run."""

    def __init__(self, world: World, words: Any, micro_batches: int, steps: int = STEPS) -> None:
        self.world = world
        self.words = words
        self.asked = Asked()
        self.events: list[Event] = []
        self.gradients = Gradients()
        self.left = steps
        self.most = micro_batches
        self.stack: list[cst.CSTNode] = []
        self.path: list[Guard] = []
        self.loops: list[cst.CSTNode] = []
        self.draws: list[int] = []
        """For each running loop, the piece of data that its iteration was given; 0 where it was given none."""
        self.iterations = 0
        self.rounds: dict[int, tuple[int, cst.CSTNode, int]] = {}
        """For each level of running loops, the iteration around it, its loop, and how many iterations came before."""
        self.turns: dict[int, int] = {}
        """For each level of running loops, which iteration runs."""
        self.micros: dict[Any, int] = {}
        self.trained: set[int] = set()
        """The micro-batches that were backpropagated."""
        self.things: dict[str, Any] = {}
        self.arguments: dict[str, Any] = {}
        self.answers = dict(world.answers)
        self.strings = dict(world.strings)
        self.grad = True
        self.passes: dict[cst.CSTNode, int] = {}
        self.contexts: list[Any] = []
        self.distributed = False
        self.running: list[cst.CSTNode] = []
        self.compiler: Any = None
        self.risks: set[str] = set()
        self.raises: set[str] = set()
        self.hooks: list[Any] = []
        self.bounded: set[int] = set()
        self.asked_at: dict[cst.CSTNode, str] = {}
        self.counted = {CALLERS_INDEX}
        self.options: dict[str, Any] = {}
        self.varying: set[str] = set()
        """Numbers of accumulation steps that change on the way: what they decide is not known."""
        self.entered: set[cst.CSTNode] = set()
        """The loops around a backward pass that a run came to."""
        self.turn: int | None = None
        """How often the caller out of sight has called, where a function is the root: what it counts, counts that."""

    # Budget

    def tick(self, node: cst.CSTNode) -> None:
        """Pay for one step."""
        self.left -= 1
        if self.left < 0:
            raise Stopped("it takes too many steps to follow", node)

    @contextmanager
    def within(self, node: cst.CSTNode) -> Iterator[None]:
        """Run a call of the text."""
        if len(self.stack) >= DEPTH:
            raise Stopped("its calls are nested too deeply to follow", node)
        self.stack.append(node)
        try:
            yield
        finally:
            self.stack.pop()

    # Data

    def draw(self) -> int:
        """A new piece of data."""
        self.iterations += 1
        return self.iterations

    def current(self) -> frozenset[int]:
        """The piece of data that the innermost loop was given, or a new one."""
        return frozenset((self.draws[-1],)) if self.draws and self.draws[-1] else frozenset((self.draw(),))

    def micro(self, draws: frozenset[int]) -> int:
        """The number of the micro-batch that some data belong to; without data, of the running iteration."""
        key: Any = max(draws) if draws else self.draws[-1] if self.draws else None
        if not key:
            key = ("iteration", tuple(map(id, self.loops)), self.turns.get(len(self.loops)))
        return self.micros.setdefault(key, len(self.micros))

    @property
    def in_loop(self) -> bool:
        """Whether a loop of the text runs, and not only the calls that a root is called by."""
        return bool(self.loops) and not (len(self.loops) == 1 and isinstance(self.loops[0], cst.FunctionDef))

    def begin(self, item: Any) -> None:
        """An iteration of the innermost loop begins, with what it was given."""
        self.iterations += 1
        level = len(self.loops)
        around, loop = self.turns.get(level - 1, 0), self.loops[-1]
        known = self.rounds.get(level)
        again = known is not None and known[0] == around and known[1] is loop
        self.rounds[level] = (around, loop, known[2] + 1 if known is not None and again else 0)
        self.turns[level] = self.iterations
        self.draws[-1] = max(_draws(item), default=0)

    # Events

    def note(self, what: What, node: cst.CSTNode, **more: Any) -> None:
        """Record an event."""
        micro, loops = len(self.micros) - 1, tuple(self.loops)
        turns = tuple(self.turns.get(level, 0) for level in range(1, len(loops) + 1))
        rounds = tuple(self.rounds[level][2] if level in self.rounds else 0 for level in range(1, len(loops) + 1))
        stack, path = tuple(self.stack), tuple(self.path)
        self.events.append(Event(what, node, stack, path, micro=micro, loops=loops, turns=turns, rounds=rounds, **more))
        if what is What.BACKWARD:
            self.trained.update(source.micro for source, _ in more.get("terms", ()))
            if len(self.trained) > self.most:
                raise Stopped()

    def trace(self, stopped: Stopped | None) -> Trace:
        """What was recorded."""
        reason = stopped.reason if stopped is not None else ""
        names = frozenset(name for name in self.asked.numbers if self.counts_steps(name))
        node = stopped.node if stopped is not None else None
        return Trace(
            tuple(self.events),
            reason,
            node,
            self.world.n,
            names,
            tuple(map(_stepper, self.gradients.optimizers)),
            frozenset(self.risks),
            frozenset(self.raises),
            cut=stopped is not None,
            settings=dict(self.asked.numbers),
            actual=dict(self.asked.actual),
            literals=frozenset(self.asked.moduli),
            bounded=frozenset(self.bounded),
            counted=not self.counted.isdisjoint(self.asked.gates),
        )

    # Assumptions

    def counts_steps(self, name: str) -> bool:
        """Whether a setting is N in this world."""
        if name in self.world.not_n:
            return False
        return name in self.world.n_names or (bool(self.words.spells_steps(last_part(name))) and not measures(last_part(name)))

    def setting(self, name: str, default: Any = None) -> Any:
        """The number that a setting has in this world."""
        if self.turn is not None and default is None and spells_counter(last_part(name)):
            self.counted.add(name)
            return Num(self.turn, frozenset((name,)))
        known = self.asked.numbers.get(name)
        if known is None:
            known = self._assumed(name, number(default))
            self.asked.numbers[name] = known
            if default is not None and number(default) is not None:
                self.asked.actual[name] = number(default)  # type: ignore[assignment]
        return Num(known, frozenset((name,)))

    def _assumed(self, name: str, default: int | float | None) -> int | float:
        if self.counts_steps(name):
            # One name for it in two places, as of the arguments and of an engine, is one number.
            counted = dict.fromkeys(last_part(each) for each in self.asked.numbers if self.counts_steps(each))
            return self.world.n + 4 * [*counted, last_part(name)].index(last_part(name))
        last = last_part(name)
        known = assumed_number(name, default)
        if known is not None:
            return known
        if spells_epochs(last) and default != 0:
            return PASSES
        if default is not None and (isinstance(default, float) or default < 100):
            return default
        return PRIMES[len(self.asked.numbers) % len(PRIMES)]

    def number_of(self, value: Any) -> Any:
        """A value as a number, where it is one or may be one."""
        if type(value) is Opaque:
            if value.has_default and not isinstance(value.default, (int, float, Num, type(None))):
                return None
            if type(value.default) is Num:
                return value.default
            return self.setting(value.identity, value.default)
        return value if number(value) is not None else None

    def named(self, name: str, value: Any, frame: Any) -> Any:
        """A number that is given a name which spells accumulation steps: a setting, however certain, unless it is 1.

        The length of something in sight is no setting.
        """
        plain = number(value)
        if self.counts_steps(name) and _is_unknown(value) and getattr(value, "identity", "") != name:
            if self.in_loop and type(value) is Tensor:
                self.varying.add(name)
            return value if type(value) is Opaque and self.counts_steps(value.identity) else self.setting(name)
        if isinstance(plain, float) and plain.is_integer() and type(value) is float:
            plain = int(plain)
        if not isinstance(plain, int) or isinstance(plain, bool) or not self.counts_steps(name):
            return value
        if plain < 2 and type(value) is not Num:
            return value
        if isinstance(value, Num) and any(self.counts_steps(each) or each.startswith("len(") for each in value.of):
            return value
        return self.setting(name, plain)

    def overridable(self, name: str, value: Any) -> Any:
        """A default that a caller, or the command line, may replace: a setting where it counts accumulation steps."""
        plain = number(value)
        if isinstance(plain, int) and not isinstance(plain, bool) and self.counts_steps(name.rsplit(".", 1)[-1]):
            return self.setting(name, plain)
        return value

    def answer(self, question: Question, usual: bool = True, *, decides: bool = True) -> bool:
        """What this world says to an unknown condition."""
        key = question.key
        known = self.answers.get(key)
        if known is None:
            known = self.asked.questions.get(key)
        if known is None:
            known = question.default if question.default is not None else usual != question.negated
        self.asked.questions[key] = known
        if decides:
            self.asked.deciding.add(key)
        return known != question.negated

    def known(self, question: Question) -> bool | None:
        """The answer that was given already."""
        found = self.answers.get(question.key, self.asked.questions.get(question.key))
        return None if found is None else found != question.negated


def _is_unknown(value: Any) -> bool:
    """Whether a value may be any number: what is out of sight, or what was computed there of no data."""
    if type(value) is Tensor:
        return not value.draws
    return type(value) is Opaque and not isinstance(value.default, str)


def _stepper(optimizer: Any) -> Stepper:
    rate = optimizer.arguments.get("lr")
    value = number(rate)
    return Stepper(
        optimizer.number,
        optimizer.identity,
        optimizer.node,
        optimizer.built_by,
        float(value) if value is not None else None,
        settings_of(rate),
        _is_quotient(optimizer.node),
    )


def _is_quotient(call: cst.CSTNode | None) -> bool:
    """Whether an optimizer's rate is written as a quotient."""
    args = call.args if isinstance(call, cst.Call) else ()
    rates = (each.value for each in args if each.keyword is not None and each.keyword.value == "lr")
    return any(isinstance(rate, cst.BinaryOperation) and isinstance(rate.operator, cst.Divide) for rate in rates)


def question_of(value: Any) -> Question | None:
    """The unknown truth that a value is, where it is one."""
    if type(value) is Question:
        return value
    if type(value) is Opaque:
        if value.has_default and isinstance(value.default, (bool, int, float, str, type(None))):
            return Question(value.identity, default=bool(value.default))
        return Question(value.identity, default=False if spells_resumption(value.identity) else None)
    if getattr(value, "optional", False):
        return Question(f"{value.identity} is None", negated=True)
    return None


def _draws(item: Any) -> frozenset[int]:
    """The data in what a loop is given."""
    if type(item) is Tensor:
        return item.draws
    if isinstance(item, (tuple, list)):
        return frozenset().union(*(_draws(each) for each in item[:20]))
    return frozenset()


def is_data(value: Any) -> TypeGuard[Tensor]:
    """Whether a value varies with the data."""
    return type(value) is Tensor
