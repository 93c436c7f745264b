"""A schedule length that counts micro-batches: where it is counted, who reads it, and the name of N there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isclose

import libcst as cst

from gradlint.fixes.definitions import Definition, Definitions, names_in
from gradlint.model.syntax.expressions import dotted, last_name, text, walk, walk_all
from gradlint.simulate.lengths import multiplied, too_long
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Length, What
from gradlint.simulate.views import View, views
from gradlint.simulate.windows import micros_of


@dataclass(frozen=True, eq=False)
class Told:
    """A length in micro-batches that is passed to a schedule of a run."""

    scene: Scene

    @cached_property
    def length(self) -> Length:
        """The length that the schedule gets."""
        here = [each for each in self.scene.event.lengths if each.place is self.scene.place]
        return next((each for each in here if too_long(each, self.scene.event, self.scene.view)), here[0])

    @cached_property
    def product(self) -> bool:
        """Whether it is a number of updates multiplied by N."""
        return multiplied(self.length.count, self.scene.view)

    @cached_property
    def names(self) -> Definitions:
        return self.scene.script.once(Definitions)

    @cached_property
    def trail(self) -> tuple[tuple[Definition, ...], cst.BaseExpression | None]:
        """The definitions between the argument and the `len()` call it comes from, and that call, or None if it is unknown."""
        place, entry = self.length.place, self.length.name if self.in_settings else ""
        if entry or self.is_name:
            first = self.names.of(place, entry)
            found = _followed(first.value, self.names) if first is not None else ((), None)
            return ((first, *found[0]), found[1]) if first is not None else found
        return _followed(place, self.names)

    @property
    def in_settings(self) -> bool:
        """Whether it is passed in a dictionary of settings."""
        call = self.call
        return call is not None and any(arg.star == "**" and arg.value is self.length.place for arg in call.args)

    @property
    def is_name(self) -> bool:
        return dotted(self.length.place) is not None

    @cached_property
    def call(self) -> cst.Call | None:
        """The call that it is an argument of."""
        nodes = self.scene.script.once(walk_all)
        calls = (each for each in nodes if isinstance(each, cst.Call))
        return next((each for each in calls if any(arg.value is self.length.place for arg in each.args)), None)

    @cached_property
    def readers(self) -> tuple[cst.CSTNode, ...]:
        """The code that reads the length for the schedule: the call that builds it, or the function that sets the rate."""
        if self.call is not None and self.call.args:
            return (self.call,)
        function = self.names.places.function_of(self.length.place)
        lambdas = [each for each in self.scene.script.once(walk_all) if isinstance(each, cst.Lambda)]
        own = [each for each in lambdas if any(node is self.length.place for node in walk(each))]
        return tuple(own[-1:]) or ((function,) if function is not None else ())

    @property
    def steps(self) -> str:
        """N as written where the script accumulates, for a message."""
        named = next((each for each in map(text, _divisors(self.scene)) if _is_plain(each)), None)
        return f"`{named}`" if named else self.scene.n

    @property
    def counted(self) -> str:
        """The unit of the length, for a message."""
        trail, length = self.trail
        found = batches_in(trail[-1].value if trail else self.length.place, length) if length is not None else None
        return f"the micro-batches of `{text(found)}`" if found is not None else "micro-batches"

    @cached_property
    def places(self) -> list[cst.CSTNode]:
        """All arguments of the call that name the length, including one for the warm-up."""
        key = dotted(self.length.place)
        if self.call is None or key is None:
            return [self.length.place]
        return [node for arg in self.call.args for node in names_in(arg.value) if dotted(node) == key]


def _followed(node: cst.CSTNode, names: Definitions, hops: int = 6) -> tuple[tuple[Definition, ...], cst.BaseExpression | None]:
    """The single `len()` call that a value is computed from, and the definitions on the way."""
    found = [each for each in walk(node) if isinstance(each, cst.Call) and last_name(each.func) == "len" and each.args]
    if found:
        return (), found[0] if len(found) == 1 else None
    ways: list[tuple[tuple[Definition, ...], cst.BaseExpression]] = []
    for each in names_in(node) if hops else ():
        given = names.of(each)
        trail, call = _followed(given.value, names, hops - 1) if given is not None else ((), None)
        if given is not None and call is not None:
            ways.append(((given, *trail), call))
    return ways[0] if len(ways) == 1 else ((), None)


def batches_in(value: cst.CSTNode, length: cst.BaseExpression) -> cst.BaseExpression:
    """The number of batches, if the code divides and rounds a number of rows to get it; otherwise the length itself."""
    found = length
    for each in reversed(walk(value)):
        if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, (cst.Divide, cst.FloorDivide)):
            found = each if any(node is length for node in walk(each.left)) else found
        elif isinstance(each, cst.Call) and len(each.args) == 1 and last_name(each.func) in ("ceil", "int", "floor", "round"):
            found = each if found is not length and each.args[0].value is found else found
    return found


# Results from the runs


def steps_at(scene: Scene, node: cst.CSTNode, names: Definitions) -> str | None:
    """N as it can be written at a node: a name that is known there, or the number in the text."""
    function = names.places.function_of(node)
    divisors = list(_divisors(scene))
    beside = [text(each) for each in divisors if names.places.function_of(each) is function]
    spelled = [*beside, scene.steps or "", *map(text, divisors)]
    for each in spelled:
        if _is_plain(each) and names.places.knows(function, each.partition(".")[0]):
            return each
    return scene.steps if scene.steps and scene.steps.isdigit() and not any(map(_is_plain, spelled)) else None


def _is_plain(spelled: str) -> bool:
    return all(part.isidentifier() for part in spelled.split("."))


def _divisors(scene: Scene) -> Iterator[cst.BaseExpression]:
    """The divisors of the losses, and of the remainders in the guard of the step, if they are N."""
    for event in scene.view.backwards:
        for _, factor in event.terms:
            for node in factor.divisors if isclose(factor.by, scene.view.size) else ():
                if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide):
                    yield node.right
    for node in walk(scene.guard) if scene.guard is not None else ():
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Modulo):
            yield node.right


def rounds_down(scene: Scene) -> bool:
    """Whether runs never use the batches after the last full window of a pass, so that no update covers them."""
    whole = [run.trace for run in scene.runs if not (run.trace.cut or run.trace.ended)]
    seen = [each for trace in whole for view in views(trace) if view.key == scene.view.key for each in _passes(view)]
    uneven = [(batches, micros, steps, size) for batches, micros, steps, size in seen if size and batches % size]
    return bool(uneven) and all(micros == steps * size == batches // size * size for batches, micros, steps, size in uneven)


def _passes(view: View) -> Iterator[tuple[int, int, int, int]]:
    """For each pass: the number of batches, of micro-batches and of updates, and the size of its windows."""
    batches, micros, steps = 0, set[int](), 0
    for _, event in view.events:
        if event.what is What.PASS:
            if batches and micros:
                yield batches, len(micros), steps, view.size
            batches, micros, steps = int(event.value.value) if event.value is not None else 0, set(), 0
        elif event.what is What.BACKWARD:
            micros |= micros_of(event)
        elif event.what is What.STEP:
            steps += 1
    if batches and micros:
        yield batches, len(micros), steps, view.size
