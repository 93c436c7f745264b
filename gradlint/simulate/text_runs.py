"""A text as it is run: compiled once for all its worlds, with a shared budget of steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from gradlint.model.names.vocabulary import Role, Taught, role_of_spelling, spells_zeroing
from gradlint.model.syntax.expressions import last_name, receiver_name, text, walk
from gradlint.simulate.aims import WITHOUT_GRADIENTS, Aims
from gradlint.simulate.blocks import Block
from gradlint.simulate.callables import Frame
from gradlint.simulate.fitting import Played
from gradlint.simulate.going_on import GoOn, to_the_end
from gradlint.simulate.hooks import COMM_HOOK
from gradlint.simulate.machine import STEPS, Machine
from gradlint.simulate.recording import trace_of
from gradlint.simulate.reductions import averages_weights, switches
from gradlint.simulate.roots import Definition, definitions, is_backward
from gradlint.simulate.statements import Compiler
from gradlint.simulate.stops import Raised, Stopped
from gradlint.simulate.surroundings import ALONE, Surroundings
from gradlint.simulate.trace import COUNTS, UPDATES, Trace
from gradlint.simulate.world import World

RAISES = "the script raises "
"""Prefix of the reason why a run ended if an exception of the text ended it."""

_WRAPPERS = frozenset(("DistributedDataParallel", "DDP"))

MOST_STEPS = 40_000
"""The maximum number of statements and calls in all runs of one text together."""

MORE_STEPS = 2 * STEPS
"""The same for the runs that compare a fix, once those are used up."""


class Text:
    """A parsed text, compiled once for all its worlds."""

    def __init__(
        self,
        statements: Sequence[cst.BaseStatement],
        nodes: Sequence[cst.CSTNode],
        words: Taught,
        around: Surroundings = ALONE,
        unasked: frozenset[str] = frozenset(),
        go_on: GoOn = to_the_end,
    ) -> None:
        """`nodes` are all nodes of the statements, and `unasked` the faults that no rule in use reports."""
        self.around = around
        self.go_on = go_on
        self.unasked = unasked
        self.statements = statements
        self.words = words
        self.left = MOST_STEPS
        self.more = MORE_STEPS
        self.dearest = 0
        """How many steps the longest run of the current root took."""
        self.incremented = _incremented(nodes)
        self.cuts = _cuts(nodes)
        self.found = definitions(statements)
        self.asides = _asides(nodes, self.found)
        self.wrapper = next((each for each in nodes if type(each) is cst.Call and _wraps(each)), None)
        modules = {path: each.statements for path, each in around.modules.items() if path != around.here}
        self.every = [*self.found, *definitions(each for own in modules.values() for each in own)]
        """The functions of the text, and of the modules around it."""
        self.aims = Aims(self.every)
        quiet = {path: [each for each in own if not self.acts(each)] for path, own in modules.items()}
        self.compiler = Compiler(self.aims, quiet)
        self.whole: Block = self.compiler.suite(statements)
        self.quiet: Block = self.compiler.suite([each for each in statements if not self.acts(each)])

    @property
    def affords_more(self) -> bool:
        """Whether the budget allows a run as long as the longest of the current root: a part of a run shows too little."""
        return self.left > 0 and self.left >= self.dearest

    def allow_one(self) -> None:
        """Allow a whole run more, as long as there is something left for that."""
        granted = min(max(STEPS - self.left, 0), self.more)
        self.left += granted
        self.more -= granted

    def acts(self, statement: cst.CSTNode) -> bool:
        """Whether a statement of the module trains, or may. Only the others run when a run starts in a function."""
        if isinstance(statement, (cst.For, cst.While)):
            return True
        if isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            return False
        if isinstance(statement, cst.If) and "__main__" in text(statement.test):
            return True
        return self.aims.of(statement).matters

    def play(self, start: Callable[[Machine, Frame], None] | None, world: World, micro_batches: int, most: int = STEPS) -> Played:
        """One run: of the module, or of its definitions followed by `start`. Raises what `go_on` raises."""
        self.go_on()
        steps = min(most, self.left)
        machine = Machine(world, self.words, micro_batches, steps)
        machine.compiler = self.compiler
        machine.incremented = self.incremented
        machine.cuts = self.cuts
        machine.around = self.around
        frame = machine.frame = Frame(machine, {}, origin=self.around.here)
        machine.frames[self.around.here] = frame
        stopped: Stopped | None = None
        try:
            self.compiler.run_plain(self.whole if start is None else self.quiet, frame)
            if start is not None:
                start(machine, frame)
        except Stopped as reason:
            stopped = reason
        except Raised as raised:
            stopped = Stopped(f"{RAISES}{raised.name}")
        except RecursionError:
            stopped = Stopped("the calls are nested too deeply to follow")
        spent = steps - max(machine.left, 0)
        self.left -= spent
        self.dearest = max(self.dearest, spent)
        trace = trace_of(machine, stopped)
        return Played(world, replace(trace, unreached=self._unreached(trace, machine.asked.branches)), machine.asked)

    def _unreached(self, trace: Trace, asked: Collection[cst.CSTNode]) -> frozenset[str]:
        """The names of the calls of `asides` that a run did not reach, except those that belong to another loop.

        `asked` are the branches that a setting decides: nothing clears gradients in the arms that they never take.
        """
        met = {id(each) for event in trace.events for each in (event.node, event.at, *event.stack)} | {
            id(node) for node in trace.hooked
        }
        missed = (each for each in self.asides if id(each.call) not in met)
        left = [each for each in missed if not each.is_of_another_loop(met)]
        shut = _never_taken(trace, asked) if left else frozenset()
        names = ((last_name(each.call.func) or "", id(each.call) in shut) for each in left)
        return frozenset(name for name, out_of_reach in names if not (out_of_reach and spells_zeroing(name)))


@dataclass(frozen=True, eq=False)
class _Aside:
    """A call that matters to a loop wherever it is, and the backward passes of the function around it."""

    call: cst.Call
    passes: frozenset[int]

    def is_of_another_loop(self, met: set[int]) -> bool:
        """Whether it is in a function with backward passes, and the run reached none of them."""
        return bool(self.passes) and self.passes.isdisjoint(met)


def _never_taken(trace: Trace, asked: Collection[cst.CSTNode]) -> frozenset[int]:
    """The ids of all nodes in the other arms of the branches that some settings decide on the way to the events of a run."""
    taken: dict[cst.If, set[int]] = {}
    for event in trace.events:
        for node, arm, varies in event.path:
            if isinstance(node, cst.If) and node in asked:
                taken.setdefault(node, set()).update((0, 1) if varies else (arm,))
    others = (node.orelse if arms == {0} else node.body for node, arms in taken.items() if len(arms) == 1)
    return frozenset(id(each) for other in others if other is not None for each in walk(other))


def _incremented(nodes: Sequence[cst.CSTNode]) -> frozenset[str]:
    """The last names of everything that the text increments with `+=`."""
    added = (each.target for each in nodes if type(each) is cst.AugAssign and isinstance(each.operator, cst.AddAssign))
    return frozenset(last_name(target) or "" for target in added)


def _cuts(nodes: Sequence[cst.CSTNode]) -> frozenset[str]:
    """The last names of the third arguments of ranges."""
    ranges = (each for each in nodes if type(each) is cst.Call and len(each.args) == 3 and last_name(each.func) == "range")
    return frozenset(last_name(each.args[2].value) or "" for each in ranges)


def _asides(nodes: Sequence[cst.CSTNode], found: Sequence[Definition]) -> list[_Aside]:
    """The calls that matter to a loop wherever they are.

    They clear gradients, set a scaler's factor, count micro-batches, or communicate. What an exception alone clears leaves all
    other windows as they are.
    """
    held = {id(each) for node in nodes if type(node) is cst.With and _measures(node) for each in walk(node)}
    rescues = {id(each) for node in nodes if type(node) is cst.ExceptHandler for each in walk(node)}
    calls = (each for each in nodes if type(each) is cst.Call)
    chosen = [
        each
        for each in calls
        if (_is_aside(each) and not (id(each) in held and _switches(each)) and not (id(each) in rescues and _clears(each)))
        or averages_weights(each)
    ]
    passes: dict[int, frozenset[int]] = {}
    for each in reversed(found) if chosen else ():
        passes.update(dict.fromkeys(map(id, each.calls), frozenset(map(id, filter(is_backward, each.calls)))))
    return [_Aside(each, passes.get(id(each), frozenset())) for each in chosen]


def _measures(node: cst.With) -> bool:
    """Whether a context disables gradients, so that nothing in it decides whether they are averaged."""
    made = (each.item for each in node.items)
    return any(last_name(each.func) in WITHOUT_GRADIENTS for each in made if isinstance(each, cst.Call))


def _switches(call: cst.Call) -> bool:
    return switches(last_name(call.func) or "")


def _clears(call: cst.Call) -> bool:
    return spells_zeroing(last_name(call.func) or "")


def _wraps(call: cst.Call) -> bool:
    """Whether a call wraps a model for several processes, by its name. A class of the text may add a leading underscore."""
    return bool(call.args) and (last_name(call.func) or "").lstrip("_") in _WRAPPERS


def _spells_scaler(call: cst.Call) -> bool:
    """Whether the owner of a method has the name of a scaler."""
    owner = receiver_name(call)
    return owner is not None and role_of_spelling(owner) is Role.SCALER


def _is_aside(call: cst.Call) -> bool:
    name = last_name(call.func) or ""
    return spells_zeroing(name) or switches(name) or name in (COMM_HOOK, COUNTS) or (name == UPDATES and _spells_scaler(call))
