"""The machine that runs code abstractly: its budget, its stack, and the events that it notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import libcst as cst

from gradlint.simulate.assumptions import Assumptions
from gradlint.simulate.gradients import Gradients
from gradlint.simulate.reductions import Reductions
from gradlint.simulate.trace import Bound, Event, Guard, Remainder, Stepper, Trace, What
from gradlint.simulate.values import Factor, Opaque, Question, Tensor, number, settings_of
from gradlint.simulate.world import World, spells_resumption

STEPS = 12_000
"""Statements and calls that one run may execute."""

ASIDE = 600
"""Statements and calls that a function which does nothing to training may execute: it evaluates, or prepares data."""

DEPTH = 24
"""Calls of the text within each other."""


class Stopped(Exception):
    """The run ends here; what was seen until now stands. `reason` is empty where enough was seen."""

    def __init__(self, reason: str = "", node: cst.CSTNode | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


MOST_OPTIMIZERS = 40
"""Optimizers of one run: what each of them sees is told apart."""


class Raised(Exception):
    """An exception of the simulated code, by the name of its class."""

    def __init__(self, name: str, value: Any = None) -> None:
        super().__init__(name)
        self.name = name
        self.value = value


class Abandoned(Exception):
    """A function that does nothing to training takes too many steps to follow to its end."""


class Machine(Assumptions):
    """The state of one run."""

    def __init__(self, world: World, words: Any, micro_batches: int, steps: int = STEPS) -> None:
        super().__init__(world, words)
        self.events: list[Event] = []
        self.gradients = Gradients()
        self.left = steps
        self.floor = 0
        """How many steps have to be left when the innermost function that does nothing to training is over."""
        self.idle = 0
        """How many micro-batches had been backpropagated when that function was called."""
        self.abandoned: set[cst.CSTNode] = set()
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
        self.pieces: set[int] = set()
        """The pieces of data that are parts of a batch."""
        self.together: dict[int, int] = {}
        """For parts of batches that one iteration was given as a pair, the last of these: they are one micro-batch."""
        self.trained: set[int] = set()
        """The micro-batches that were backpropagated."""
        self.seen: Counter[int] = Counter()
        """How many of them in each outermost loop."""
        self.things: dict[str, Any] = {}
        self.arguments: dict[str, Any] = {}
        self.grad = True
        self.told: list[tuple[Any, int]] = []
        """The engines whose count of a micro-batch lasts, each with the place of that event."""
        self.strange: set[cst.CSTNode] = set()
        """Where contexts out of sight were entered that may count micro-batches for an engine."""
        self.passes: dict[cst.CSTNode, int] = {}
        self.distributed = False
        self.reductions = Reductions()
        self.running: list[cst.CSTNode] = []
        self.compiler: Any = None
        self.risks: set[str] = set()
        self.raises: set[str] = set()
        self.hooks: list[Any] = []
        self.bounded: set[int] = set()
        self.asked_at: dict[cst.CSTNode, str] = {}
        self.handed: dict[cst.CSTNode, tuple[Any, ...]] = {}
        """The numbers that calls out of sight were handed in a loop; none where they were not the same each time."""
        self.remainders: list[Remainder] = []
        self.divided: list[tuple[cst.CSTNode, float]] = []
        """The remainders that were taken, each with the number that was divided, until a condition knows that they are its own."""
        self.compared: list[tuple[cst.CSTNode, Factor, Factor, bool]] = []
        """The numbers that were compared, with the answers, until a condition knows that they are its own."""
        self.bounds: list[Bound] = []
        self.options: dict[str, Any] = {}
        self.containers: list[Any] = []
        self.entered: set[cst.CSTNode] = set()
        """The loops around a backward pass that a run came to."""

    # Budget

    def tick(self, node: cst.CSTNode) -> None:
        """Pay for one step."""
        self.left -= 1
        if self.left < 0:
            raise Stopped("it takes too many steps to follow", node)
        if len(self.gradients.optimizers) > MOST_OPTIMIZERS:
            raise Stopped("it builds more optimizers than can be followed", node)
        if self.left < self.floor:
            if len(self.trained) == self.idle:
                raise Abandoned
            self.floor = 0  # it trains all the same

    @contextmanager
    def aside(self, node: cst.CSTNode) -> Iterator[None]:
        """Run a function that does nothing to training; raises Abandoned where it takes too long, or did before."""
        if node in self.abandoned:
            raise Abandoned
        floor, idle, grad = self.floor, self.idle, self.grad
        self.floor, self.idle = max(floor, self.left - ASIDE), len(self.trained)
        try:
            yield
        except Abandoned:
            self.abandoned.add(node)
            self.grad = grad
            raise
        finally:
            self.floor, self.idle = floor, idle

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

    def told_apart(self, value: Any) -> int:
        """A number for a container of the run, the same in every process; it is kept, so that none takes its place."""
        for place, each in enumerate(self.containers):
            if each is value:
                return place
        self.containers.append(value)
        return len(self.containers) - 1

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
        key: Any = max(self.together.get(each, each) for each in draws) if draws else self.draws[-1] if self.draws else None
        if not key:
            key = ("iteration", tuple(map(id, self.loops)), self.turns.get(len(self.loops)))
        return self.micros.setdefault(key, len(self.micros))

    @property
    def iterations_before(self) -> int:
        found = self.rounds.get(len(self.loops))
        return found[2] if found is not None else 0

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
        given = _draws(item)
        self.draws[-1] = max(given, default=0)
        if len(given) > 1 and isinstance(item, tuple) and given <= self.pieces:
            self.together.update(dict.fromkeys(given, self.draws[-1]))

    # Events

    def note(self, what: What, node: cst.CSTNode, **more: Any) -> None:
        """Record an event."""
        micro, loops, turns = len(self.micros) - 1, tuple(self.loops), self._running()
        rounds = tuple(self.rounds[level][2] if level in self.rounds else 0 for level in range(1, len(loops) + 1))
        stack, path = tuple(self.stack), tuple(self.path)
        self.events.append(Event(what, node, stack, path, micro=micro, loops=loops, turns=turns, rounds=rounds, **more))
        if what is What.BACKWARD:
            before = len(self.trained)
            self.trained.update(source.micro for source, _ in more.get("terms", ()))
            outermost = id(loops[0]) if loops else 0
            self.seen[outermost] += len(self.trained) - before
            if self.seen[outermost] > self.most:
                raise Stopped()

    def _running(self) -> tuple[int, ...]:
        """Which iteration of each loop runs."""
        return tuple(self.turns.get(level, 0) for level in range(1, len(self.loops) + 1))

    def asks(self, branch: cst.CSTNode) -> None:
        """A condition has asked for the remainders that were taken since `divided` was empty."""
        place, stack, loops = len(self.events), tuple(self.stack), tuple(self.loops)
        self.remainders += [Remainder(node, branch, count, place, stack, loops, self._running()) for node, count in self.divided]

    def ends(self, own: frozenset[cst.CSTNode], holding: bool) -> None:
        """A condition that may end the innermost loop was asked: its comparisons are `own`, and end it where they are `holding`."""
        place, loops, alone = len(self.events), tuple(self.loops), len(own) == 1
        mine = (each for each in self.compared if each[0] in own)
        self.bounds += [Bound(node, (one, two), answer is holding, place, loops, alone) for node, one, two, answer in mine]

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
            tuple(_stepper(each, self.quotients) for each in self.gradients.optimizers),
            frozenset(self.risks),
            frozenset(self.raises),
            cut=stopped is not None,
            settings=dict(self.asked.numbers),
            actual=dict(self.asked.actual),
            literals=frozenset(self.asked.moduli),
            rests=tuple(self.asked.kept.items()),
            bounded=frozenset(self.bounded),
            hooked=tuple(hook.node for hook in self.hooks),
            gates=frozenset(self.asked.gates),
            remainders=tuple(self.remainders),
            bounds=tuple(self.bounds),
            counted=not self.counted.isdisjoint(self.asked.gates),
        )


def _stepper(optimizer: Any, quotients: dict[float, set[int]]) -> Stepper:
    rate = optimizer.arguments.get("lr")
    value = number(rate)
    return Stepper(
        optimizer.number,
        optimizer.identity,
        optimizer.node,
        optimizer.built_by,
        float(value) if value is not None else None,
        settings_of(rate),
        frozenset(quotients.get(float(value), ())) if value is not None else frozenset(),
    )


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
