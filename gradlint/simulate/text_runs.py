"""A text as it is run: compiled once, for all the worlds that it is run in, within a number of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import Role, Taught, role_of_spelling, spells_zeroing
from gradlint.model.syntax.expressions import last_name, walk
from gradlint.simulate.aims import Aims
from gradlint.simulate.blocks import Block
from gradlint.simulate.callables import Frame
from gradlint.simulate.fitting import Played
from gradlint.simulate.hooks import COMM_HOOK
from gradlint.simulate.machine import STEPS, Machine
from gradlint.simulate.recording import trace_of
from gradlint.simulate.reductions import averages_weights, switches
from gradlint.simulate.roots import definitions, is_backward
from gradlint.simulate.statements import Compiler
from gradlint.simulate.stops import Raised, Stopped
from gradlint.simulate.trace import COUNTS, UPDATES, Trace
from gradlint.simulate.world import World

RAISES = "the script raises "
"""How the reason begins why a run ended that an exception of the text ended."""

_WRAPPERS = frozenset(("DistributedDataParallel", "DDP"))

MOST_STEPS = 40_000
"""Statements and calls that all runs of one text may execute together."""


class Text:
    """A parsed text, compiled once for all its worlds."""

    def __init__(self, statements: Sequence[cst.BaseStatement], nodes: Sequence[cst.CSTNode], words: Taught) -> None:
        """`nodes` are all that stand in the statements."""
        self.statements = statements
        self.words = words
        self.left = MOST_STEPS
        self.incremented = _incremented(nodes)
        self.cuts = _cuts(nodes)
        self.asides = _asides(nodes)
        self.found = definitions(statements)
        self.wrapper = next((each for each in nodes if type(each) is cst.Call and _wraps(each)), None)
        self.compiler = Compiler(Aims(self.found))
        self.whole: Block = self.compiler.block(_Body(list(statements)))
        self.quiet: Block = self.compiler.block(_Body([each for each in statements if not self.acts(each)]))

    def acts(self, statement: cst.CSTNode) -> bool:
        """Whether a statement of the module trains, or may: what is defined and assigned stays."""
        if isinstance(statement, (cst.For, cst.While, cst.With)):
            return True
        if isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            return False
        if isinstance(statement, cst.If) and "__main__" in _source(statement.test):
            return True
        return self.compiler.aims.of(statement).matters

    def play(self, start: Callable[[Machine, Frame], None] | None, world: World, micro_batches: int, most: int = STEPS) -> Played:
        """One run: the module, or its definitions and then what `start` does."""
        steps = min(most, self.left)
        machine = Machine(world, self.words, micro_batches, steps)
        machine.compiler = self.compiler
        machine.incremented = self.incremented
        machine.cuts = self.cuts
        frame = machine.frame = Frame(machine, {})
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
        self.left -= steps - max(machine.left, 0)
        trace = trace_of(machine, stopped)
        return Played(world, replace(trace, unreached=self._unreached(trace)), machine.asked)

    def _unreached(self, trace: Trace) -> frozenset[str]:
        """The names of the calls of `asides` that a run did not come to: those that no loop of its own has for itself."""
        met = {id(each) for event in trace.events for each in (event.node, event.at, *event.stack)} | {
            id(node) for node in trace.hooked
        }
        missed = (call for call in self.asides if id(call) not in met)
        return frozenset(last_name(call.func) or "" for call in missed if not self._of_another_loop(call, met))

    def _of_another_loop(self, call: cst.Call, met: set[int]) -> bool:
        """Whether a call stands in a function with backward passes, of which a run came to none."""
        own = next((each.calls for each in self.found if any(inner is call for inner in each.calls)), ())
        passes = [each for each in own if is_backward(each)]
        return bool(passes) and not any(id(each) in met for each in passes)


def _incremented(nodes: Sequence[cst.CSTNode]) -> frozenset[str]:
    """The last names of what a text adds something to."""
    added = (each.target for each in nodes if type(each) is cst.AugAssign and isinstance(each.operator, cst.AddAssign))
    return frozenset(last_name(target) or "" for target in added)


def _cuts(nodes: Sequence[cst.CSTNode]) -> frozenset[str]:
    """The last names of the third arguments of ranges."""
    ranges = (each for each in nodes if type(each) is cst.Call and len(each.args) == 3 and last_name(each.func) == "range")
    return frozenset(last_name(each.args[2].value) or "" for each in ranges)


def _asides(nodes: Sequence[cst.CSTNode]) -> list[cst.Call]:
    """The calls that matter to a loop wherever they stand: they clear gradients, set a factor, count micro-batches, communicate."""
    held = {id(each) for node in nodes if type(node) is cst.With and _measures(node) for each in walk(node)}
    calls = (each for each in nodes if type(each) is cst.Call)
    return [each for each in calls if (_is_aside(each) and not (id(each) in held and _switches(each))) or averages_weights(each)]


def _measures(node: cst.With) -> bool:
    """Whether a context leaves out gradients: nothing in it decides whether they are averaged."""
    made = (each.item for each in node.items)
    return any(last_name(each.func) in ("no_grad", "inference_mode") for each in made if isinstance(each, cst.Call))


def _switches(call: cst.Call) -> bool:
    return switches(last_name(call.func) or "")


def _wraps(call: cst.Call) -> bool:
    """Whether a call wraps a model for several processes, by its name, which a class of the text may have made longer."""
    return bool(call.args) and (last_name(call.func) or "").lstrip("_") in _WRAPPERS


def _spells_scaler(call: cst.Call) -> bool:
    """Whether a method is called of what is called like a scaler."""
    owner = last_name(call.func.value) if isinstance(call.func, cst.Attribute) else None
    return owner is not None and role_of_spelling(owner) is Role.SCALER


def _is_aside(call: cst.Call) -> bool:
    name = last_name(call.func) or ""
    return spells_zeroing(name) or switches(name) or name in (COMM_HOOK, COUNTS) or (name == UPDATES and _spells_scaler(call))


@dataclass
class _Body:
    body: list[Any] = field(default_factory=list)


def _source(node: cst.CSTNode) -> str:
    return cst.Module(()).code_for_node(node)
