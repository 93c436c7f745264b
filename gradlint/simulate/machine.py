"""The machine that runs code abstractly: its budget, its stack, and the events that it notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libcst as cst

from gradlint.simulate.assumptions import Assumptions
from gradlint.simulate.contents import draws_in
from gradlint.simulate.gradients import Gradients
from gradlint.simulate.reductions import Reductions
from gradlint.simulate.spelling import Spelled, spelled_in
from gradlint.simulate.stops import TOO_LONG, Abandoned, Stopped, handles
from gradlint.simulate.surroundings import ALONE, Surroundings
from gradlint.simulate.trace import Bound, Event, Guard, Remainder, What
from gradlint.simulate.values import Factor, Source, Tensor
from gradlint.simulate.world import World

STEPS = 12_000
"""Statements and calls that one run may execute."""

ASIDE = 600
"""Statements and calls that a function which does nothing to training may execute: it evaluates, or prepares data."""

DEPTH = 24
"""Calls of the text within each other."""

TIMES = 2
"""How often a backward pass is asked for the numbers around it: what counts is another one the second time."""

TERMS_OF_A_STEP = 2
"""So many terms of a loss, or of gradients, in one event cost one step."""
MOST_OPTIMIZERS = 40
"""Optimizers of one run: what each of them sees is told apart."""


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
        self.by_norm: set[cst.CSTNode] = set()
        """The branches that the norm of gradients alone has decided."""
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
        self.stretches: set[int] = set()
        """Those that are a part of each of its samples."""
        self.together: dict[int, int] = {}
        """For parts of batches that one iteration was given as a pair, the last of these: they are one micro-batch."""
        self.trained: set[int] = set()
        """The micro-batches that were backpropagated."""
        self.seen: Counter[int] = Counter()
        """How many of them in each outermost loop."""
        self.things: dict[str, Any] = {}
        self.classes: list[Any] = []
        """The classes of the text that were defined so far."""
        self.arguments: dict[str, Any] = {}
        self.grad = True
        self.told: list[tuple[Any, int]] = []
        """The engines whose count of a micro-batch lasts, each with the place of that event."""
        self.strange: set[cst.CSTNode] = set()
        """Where contexts out of sight were entered that may count micro-batches for an engine."""
        self.passes: dict[cst.CSTNode, int] = {}
        self.reductions = Reductions()
        self.running: list[cst.CSTNode] = []
        self.compiler: Any = None
        self.around: Surroundings = ALONE
        self.frames: dict[str, Any] = {}
        """The names of the modules that were run so far, by their paths."""
        self.risks: set[str] = set()
        self.raises: set[str] = set()
        self.handled: list[tuple[frozenset[str], int]] = []
        """The exceptions that the running `try` statements handle, by their names, each with how many loops run around it."""
        self.hooks: list[Any] = []
        self.norms: list[cst.CSTNode] = []
        self.spent: list[Any] = []
        """The iterators whose last batch was drawn by `next`, and that were not asked for another."""
        self.bounded: set[int] = set()
        self.walking: set[int] = set()
        """The loops around a backward pass over ranges that are as long as some data."""
        self.handed: dict[cst.CSTNode, tuple[Any, ...]] = {}
        """The numbers that calls out of sight were handed in a loop; none where they were not the same each time."""
        self.remainders: list[Remainder] = []
        self.divided: list[tuple[cst.CSTNode, float, float]] = []
        """The remainders that were taken, each with the numbers of its two sides, until a condition knows that they are its own."""
        self.compared: list[tuple[cst.CSTNode, Factor, Factor, bool]] = []
        """The numbers that were compared, with the answers, until a condition knows that they are its own."""
        self.bounds: list[Bound] = []
        self.measured: list[tuple[str, tuple[Guard, ...]]] = []
        self.options: dict[str, Any] = {}
        self.containers: list[Any] = []
        self.calls: dict[cst.CSTNode, list[int]] = {}
        """Where an engine is told of a micro-batch that counts N of them itself, and how many came since the last time."""
        self.divisors: dict[cst.CSTNode, tuple[float, bool]] = {}
        """What divided a loss, and whether that counts accumulation steps."""
        self.frame: Any = None
        """The innermost activation of a function, or the module's."""
        self.spelled: dict[cst.CSTNode, list[Spelled]] = {}
        """What the names where a backward pass stands lead to, the first two times."""
        self.summands: dict[Source, tuple[cst.CSTNode, ...]] = {}
        """Where the terms of losses stand in the sums that were made of them, innermost first."""
        self.spread: set[Tensor] = set()
        """The data whose tokens were put beside each other."""
        self.effects: set[int] = set()
        """The calls that are statements of their own: what they give is not used."""
        self.read: set[tuple[tuple[cst.CSTNode, ...], tuple[int, ...]]] = set()
        """Where files were opened: in which iterations of which loops."""
        self.entered: dict[cst.CSTNode, bool] = {}
        """The loops around a backward pass that a run came to, with whether they were over an empty range then."""

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
            raise Stopped("the calls are nested too deeply to follow", node)
        self.stack.append(node)
        try:
            yield
        finally:
            self.stack.pop()

    def expects(self, name: str) -> bool:
        """Whether the code is prepared for an exception: by its name, or for all, within the running iteration."""
        return any(name in names or (level >= len(self.loops) and handles(names, name)) for names, level in self.handled)

    @contextmanager
    def handling(self, handlers: list[frozenset[str]]) -> Iterator[None]:
        """Run what some handlers are for."""
        more = [(names, len(self.loops)) for names in handlers]
        self.handled += more
        try:
            yield
        finally:
            for each in more:
                self.handled.remove(each)

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
        if draws:
            key: Any = max(map(self.together.get, draws, draws))
        else:
            key = self.draws[-1] if self.draws else None
        if not key:
            key = ("iteration", tuple(map(id, self.loops)), self.turns.get(len(self.loops)))
        return self.micros.setdefault(key, len(self.micros))

    def stretch_of(self, draws: frozenset[int]) -> int:
        """A new part of each sample of some data, which belongs to their micro-batch."""
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
        given = draws_in(item)
        self.draws[-1] = max(given, default=0)
        if len(given) > 1 and isinstance(item, tuple) and given <= self.pieces:
            self.together.update(dict.fromkeys(given, self.draws[-1]))

    # Events

    def note(self, what: What, node: cst.CSTNode, **more: Any) -> None:
        """Record an event; one that carries many terms is as much to judge as many are."""
        self.left -= len(more.get("terms", ())) // TERMS_OF_A_STEP
        micro, loops, turns = len(self.micros) - 1, tuple(self.loops), self._running()
        known = map(self.rounds.get, range(1, len(loops) + 1))
        rounds = tuple([each[2] if each is not None else 0 for each in known])
        stack, path = tuple(self.stack), tuple(self.path)
        if what is What.CLIP and self.by_norm:  # gradients are not clipped where they need not be, which is how it is done
            path = tuple((branch, arm, varies and branch not in self.by_norm) for branch, arm, varies in path)
        where = {"stack": stack, "path": path, "micro": micro, "loops": loops, "turns": turns, "rounds": rounds}
        self.events.append(Event.noted(what=what, node=node, **where, **more))
        if what is What.STEP and self.world.seeking:
            raise Stopped()
        if what is What.BACKWARD:
            if len(times := self.spelled.setdefault(node, [])) < TIMES:
                times.append(spelled_in(self.frame))
            before = len(self.trained)
            self.trained.update(source.micro for source, _ in more.get("terms", ()))
            outermost = id(loops[0]) if loops else 0
            self.seen[outermost] += len(self.trained) - before
            if self.seen[outermost] > self.most:
                raise Stopped()

    def _running(self) -> tuple[int, ...]:
        """Which iteration of each loop runs."""
        turns = self.turns
        return tuple([turns.get(level, 0) for level in range(1, len(self.loops) + 1)])

    def asks(self, branch: cst.CSTNode, test: cst.CSTNode, holds: bool, since: int = 0) -> None:
        """A condition has asked for the remainders that were taken since `divided` was as long as `since`."""
        place, stack, loops, turns = len(self.events), tuple(self.stack), tuple(self.loops), self._running()
        for node, count, by in self.divided[since:]:
            self.remainders.append(Remainder(node, branch, count, by, test, holds, place, stack, loops, turns))

    def opens(self) -> None:
        """A file is opened: what is read from it is data of its own, whatever names it."""
        self.read.add((tuple(self.loops), self._running()))

    def measures(self, identity: str) -> None:
        """The length of some data is asked for, where nobody is prepared for what that may raise."""
        if not self.expects("TypeError"):
            self.measured.append((identity, tuple(self.path)))

    def ends(self, own: frozenset[cst.CSTNode], holding: bool) -> None:
        """A condition that may end the innermost loop was asked: its comparisons are `own`, and end it where they are `holding`."""
        place, loops, alone = len(self.events), tuple(self.loops), len(own) == 1
        mine = (each for each in self.compared if each[0] in own)
        self.bounds += [Bound(node, (one, two), answer is holding, place, loops, alone) for node, one, two, answer in mine]
