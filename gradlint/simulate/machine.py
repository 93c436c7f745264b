"""The abstract machine: its step budget, its call stack, and the events it records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libcst as cst

from gradlint.simulate.assumptions import Assumptions
from gradlint.simulate.contents import draws_in
from gradlint.simulate.enough import Enough
from gradlint.simulate.gradients import Gradients
from gradlint.simulate.reductions import Reductions
from gradlint.simulate.spelling import Spelled, spelled_in
from gradlint.simulate.stops import TOO_LONG, Abandoned, Stopped, handles
from gradlint.simulate.surroundings import ALONE, Surroundings
from gradlint.simulate.trace import Bound, Event, Guard, Remainder, What
from gradlint.simulate.values import Factor, Source, Tensor
from gradlint.simulate.world import World

STEPS = 12_000
"""The maximum number of statements and calls in one run."""

ASIDE = 600
"""The same for a function that does not affect training: it only evaluates, or prepares data."""

DEPTH = 24
"""The maximum number of nested calls of the text."""

TIMES = 2
"""How often the names around a backward pass are recorded: a counter has another value the second time."""

TERMS_OF_A_STEP = 2
"""How many terms of a loss, or of gradients, in one event cost one step."""
MOST_OPTIMIZERS = 40
"""The maximum number of optimizers in one run. Each is tracked separately."""


class Machine(Assumptions):
    """The state of one run."""

    def __init__(self, world: World, words: Any, micro_batches: int, steps: int = STEPS) -> None:
        super().__init__(world, words)
        self.events: list[Event] = []
        self.gradients = Gradients()
        self.left = steps
        self.floor = 0
        """How many steps must be left when the innermost function that does not affect training returns."""
        self.idle = 0
        """How many micro-batches had been backpropagated when that function was called."""
        self.abandoned: set[cst.CSTNode] = set()
        self.enough = Enough(micro_batches)
        self.stack: list[cst.CSTNode] = []
        self.path: list[Guard] = []
        self.by_norm: set[cst.CSTNode] = set()
        """The branches decided only by the norm of the gradients."""
        self.loops: list[cst.CSTNode] = []
        self.draws: list[int] = []
        """For each running loop, the piece of data given to its current iteration, or 0 if it got none."""
        self.iterations = 0
        self.rounds: dict[int, tuple[int, cst.CSTNode, int]] = {}
        """For each nesting level of loops: the iteration around it, its loop, and how many iterations came before."""
        self.turns: dict[int, int] = {}
        """For each nesting level of loops, the running iteration."""
        self.micros: dict[Any, int] = {}
        self.pieces: dict[int, int] = {}
        """The pieces of data that are parts of a batch, each with the batch."""
        self.stretches: set[int] = set()
        """The pieces of data that are a part of every sample of a batch."""
        self.together: dict[int, int] = {}
        """Maps the parts of a batch that one iteration got as a pair to the last of them: they are one micro-batch."""
        self.trained: set[int] = set()
        """The micro-batches that were backpropagated."""
        self.things: dict[str, Any] = {}
        self.classes: list[Any] = []
        """The classes of the text defined so far."""
        self.arguments: dict[str, Any] = {}
        self.grad = True
        self.told: list[tuple[Any, int]] = []
        """The engines whose counting context is open, each with the index of the event that counted the micro-batch."""
        self.strange: set[cst.CSTNode] = set()
        """The open contexts of unknown code that may count micro-batches for an engine."""
        self.reductions = Reductions()
        self.running: list[cst.CSTNode] = []
        self.recurses = False
        """Whether a function that trains calls itself more often than a run follows."""
        self.compiler: Any = None
        self.around: Surroundings = ALONE
        self.frames: dict[str, Any] = {}
        """The names of the modules run so far, by path."""
        self.risks: set[str] = set()
        self.raises: set[str] = set()
        self.handled: list[tuple[frozenset[str], int]] = []
        """The exception names that the running `try` statements handle, each with how many loops run around the statement."""
        self.hooks: list[Any] = []
        self.norms: list[cst.CSTNode] = []
        self.spent: list[Any] = []
        """The iterators whose last batch was drawn by `next` and that were not asked for another."""
        self.bounded: set[int] = set()
        self.walking: set[int] = set()
        """The loops around a backward pass that run over a range as long as some data."""
        self.handed: dict[cst.CSTNode, tuple[Any, ...]] = {}
        """The numbers that calls of unknown code got in a loop; empty if they were not the same each time."""
        self.remainders: list[Remainder] = []
        self.divided: list[tuple[cst.CSTNode, float, float, frozenset[str]]] = []
        """The remainders taken so far: operands, and settings of the first. A condition claims those it used."""
        self.compared: list[tuple[cst.CSTNode, Factor, Factor, bool]] = []
        """The numbers compared so far, with the answers. A condition claims those it used."""
        self.bounds: list[Bound] = []
        self.measured: list[tuple[str, tuple[Guard, ...]]] = []
        self.options: dict[str, Any] = {}
        self.containers: list[Any] = []
        self.calls: dict[cst.CSTNode, list[int]] = {}
        """Where an engine that counts to N itself is notified of a micro-batch, and how many came since the last notification."""
        self.divisors: dict[cst.CSTNode, tuple[float, bool]] = {}
        """What divided a loss, and whether it counts accumulation steps."""
        self.frame: Any = None
        """The innermost activation record: of a function, or of the module."""
        self.spelled: dict[cst.CSTNode, list[Spelled]] = {}
        """The values reachable by name at a backward pass, for its first two executions."""
        self.summands: dict[Source, tuple[cst.CSTNode, ...]] = {}
        """Where each term of a loss appears in the sums built from it, innermost first."""
        self.spread: set[Tensor] = set()
        """The data that were reshaped, so that the tokens of all samples may be side by side."""
        self.effects: set[int] = set()
        """The calls that are statements: their result is not used."""
        self.read: set[tuple[tuple[cst.CSTNode, ...], tuple[int, ...]]] = set()
        """Where files were opened: in which iterations of which loops."""
        self.entered: dict[cst.CSTNode, bool] = {}
        """The loops around a backward pass that a run reached, and whether their range was empty at that time."""

    # Budget

    def tick(self, node: cst.CSTNode) -> None:
        """Pay for one step."""
        self.left -= 1
        if self.left < 0:
            raise Stopped(TOO_LONG, node)
        if len(self.gradients.optimizers) > MOST_OPTIMIZERS:
            raise Stopped("the script builds more optimizers than gradlint follows", node)
        if self.left < self.floor:
            if len(self.trained) == self.idle:
                raise Abandoned
            self.floor = 0  # it trains after all

    @contextmanager
    def aside(self, node: cst.CSTNode) -> Iterator[None]:
        """Run a function that does not affect training. Raises Abandoned if it takes too long, or did so before."""
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
            raise Stopped("the calls are nested too deeply to follow", node)
        self.stack.append(node)
        self.called.add(id(node))
        try:
            yield
        finally:
            self.stack.pop()

    def expects(self, name: str) -> bool:
        """Whether the code handles an exception, by name anywhere, or with a catch-all inside the running iteration."""
        return any(name in names or (level >= len(self.loops) and handles(names, name)) for names, level in self.handled)

    @contextmanager
    def handling(self, handlers: list[frozenset[str]]) -> Iterator[None]:
        """Run the body of a `try` with its handlers."""
        more = [(names, len(self.loops)) for names in handlers]
        self.handled += more
        try:
            yield
        finally:
            for each in more:
                self.handled.remove(each)

    def told_apart(self, value: Any) -> int:
        """A number for a container, the same in every process. The container is kept, so that no other object can take its id."""
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
        """The piece of data given to the innermost loop, or a new one."""
        return frozenset((self.draws[-1],)) if self.draws and self.draws[-1] else frozenset((self.draw(),))

    def micro(self, draws: frozenset[int]) -> int:
        """The number of the micro-batch that some data belong to. Without data, that of the running iteration."""
        if draws:
            key: Any = max(map(self.together.get, draws, draws))
        else:
            key = self.draws[-1] if self.draws else None
        if not key:
            key = ("iteration", tuple(map(id, self.loops)), self.turns.get(len(self.loops)))
        return self.micros.setdefault(key, len(self.micros))

    def stretch_of(self, draws: frozenset[int]) -> int:
        """A new part of every sample of some data. It belongs to the same micro-batch."""
        made = self.draw()
        self.stretches.add(made)
        self.together[made] = max((self.together.get(each, each) for each in draws), default=made)
        return made

    @property
    def iterations_before(self) -> int:
        found = self.rounds.get(len(self.loops))
        return found[2] if found is not None else 0

    @property
    def in_loop(self) -> bool:
        """Whether a loop of the text is running, not just the imagined calls of a root function."""
        return bool(self.loops) and not (len(self.loops) == 1 and isinstance(self.loops[0], cst.FunctionDef))

    def begin(self, item: Any) -> None:
        """Start an iteration of the innermost loop with the item it was given."""
        self.iterations += 1
        level = len(self.loops)
        around, loop = self.turns.get(level - 1, 0), self.loops[-1]
        known = self.rounds.get(level)
        again = known is not None and known[0] == around and known[1] is loop
        self.rounds[level] = (around, loop, known[2] + 1 if known is not None and again else 0)
        self.turns[level] = self.iterations
        given = draws_in(item)
        self.draws[-1] = max(given, default=0)
        if len(given) > 1 and isinstance(item, tuple) and given <= self.pieces.keys():
            self.together.update(dict.fromkeys(given, self.draws[-1]))

    # Events

    def note(self, what: What, node: cst.CSTNode, **more: Any) -> None:
        """Record an event. Many terms in one event take as long to judge as many events, so they use up steps too."""
        self.left -= len(more.get("terms", ())) // TERMS_OF_A_STEP
        micro, loops, turns = len(self.micros) - 1, tuple(self.loops), self._running()
        known = map(self.rounds.get, range(1, len(loops) + 1))
        rounds = tuple([each[2] if each is not None else 0 for each in known])
        stack, path = tuple(self.stack), tuple(self.path)
        if what is What.CLIP and self.by_norm:  # skipping a clip when the norm is small is still clipping
            path = tuple((branch, arm, varies and branch not in self.by_norm) for branch, arm, varies in path)
        more.update(what=what, node=node, stack=stack, path=path, micro=micro, loops=loops, turns=turns, rounds=rounds)
        self.events.append(Event.noted(more))
        if what is What.STEP and self.world.seeking:
            raise Stopped()
        if what is What.BACKWARD:
            if len(times := self.spelled.setdefault(node, [])) < TIMES:
                times.append(spelled_in(self.frame))
            before = len(self.trained)
            self.trained.update(source.micro for source, _ in more.get("terms", ()))
            if self.enough.is_seen(loops, turns, node, len(self.trained) - before):
                raise Stopped()
        elif what is What.PASS:
            self.enough.begins()

    def _running(self) -> tuple[int, ...]:
        """The running iteration of each loop."""
        turns = self.turns
        return tuple([turns.get(level, 0) for level in range(1, len(self.loops) + 1)])

    def asks(self, branch: cst.CSTNode, test: cst.CSTNode, holds: bool, since: int = 0) -> None:
        """Record that a condition used the remainders taken since `divided` had `since` entries."""
        place, stack, loops, turns = len(self.events), tuple(self.stack), tuple(self.loops), self._running()
        for node, count, by, of in self.divided[since:]:
            self.remainders.append(Remainder(node, branch, count, by, of, test, holds, place, stack, loops, turns))

    def opens(self) -> None:
        """Record that a file is opened: what is read from it is new data, whatever its name."""
        self.read.add((tuple(self.loops), self._running()))

    def measures(self, identity: str) -> None:
        """Record that the length of some data is needed where the code does not handle the TypeError this may raise."""
        if not self.expects("TypeError"):
            self.measured.append((identity, tuple(self.path)))

    def ends(self, own: frozenset[cst.CSTNode], holding: bool) -> None:
        """Record a condition that may end the innermost loop: its comparisons are `own`, and end it when they are `holding`."""
        place, loops, alone = len(self.events), tuple(self.loops), len(own) == 1
        mine = (each for each in self.compared if each[0] in own)
        self.bounds += [Bound(node, (one, two), answer is holding, place, loops, alone) for node, one, two, answer in mine]
