"""Checks the result of a call that moves to the update: is it read where no update has run, and does it decide anything?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst

from gradlint.fixes.places import Places
from gradlint.model.syntax.expressions import dotted, walk
from gradlint.simulate.trace import Event


def read_elsewhere(
    lines: Sequence[cst.SimpleStatementLine],
    update: cst.CSTNode,
    others: Iterable[Event],
    loop: cst.CSTNode | None,
    places: Places,
) -> tuple[str, ...] | None:
    """The names of results that are read where the update may not have run. None if such a read affects training.

    `others` are the events that the results must not affect.
    """
    targets = _targets(lines)
    if targets is None:
        return None
    names = {name for each in targets if (name := dotted(each)) is not None}
    function = places.function_of(lines[0])
    suite = places.suite_of(update)
    inside = [*lines, *suite[next(index for index, each in enumerate(suite) if each is update) :]]
    around: Iterable[cst.CSTNode] = (function,) if function is not None else places.module
    nodes = [each for part in around for each in walk(part) if isinstance(each, (cst.Name, cst.Attribute))]
    away = [each for each in nodes if dotted(each) in names and not any(places.holds(piece, each) for piece in inside)]
    if not away:
        return ()
    if not isinstance(loop, (cst.For, cst.While)) or places.function_of(loop) is not function or not places.knows(None, "torch"):
        return None
    acting = [node for event in others for node in (event.node, *event.stack)]
    below = [each for each in places.around(lines[0]) if places.holds(loop, each) and each is not loop]
    for each in away:
        reading = places.around(each)
        if not any(around is loop for around in reading) or not each_is_plain(each, names):
            return None
        own = reading[: next(index for index, around in enumerate(reading) if around is loop)]
        # Nothing that depends on the value may take part in training, except next to the lines themselves.
        apart = [around for around in own if not any(around is one for one in below)]
        if any(places.holds(around, node) for around in apart if not _gives(around, names) for node in acting):
            return None
        if any(isinstance(around, (cst.If, cst.While)) and _asks(around.test, each) for around in own if around not in apart):
            return None
    return tuple(sorted(names))


def _targets(lines: Sequence[cst.SimpleStatementLine]) -> list[cst.BaseExpression] | None:
    """The names that the lines assign. None if a line does anything else."""
    found: list[cst.BaseExpression] = []
    for small in (line.body[0] for line in lines):
        if isinstance(small, cst.Assign):
            found += [each.target for each in small.targets]
        elif not isinstance(small, cst.Expr):
            return None
    return found if all(isinstance(each, cst.Name) for each in found) or not found else None


def each_is_plain(node: cst.CSTNode, names: set[str]) -> bool:
    """Whether a name is a plain one that a line before the loop can assign."""
    return isinstance(node, cst.Name) and node.value in names


def _gives(statement: cst.CSTNode, names: set[str]) -> bool:
    """Whether a statement only assigns other values to the names, like another branch of a decision."""
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    return isinstance(small, cst.Assign) and all(dotted(each.target) in names for each in small.targets)


def _asks(test: cst.CSTNode, node: cst.CSTNode) -> bool:
    return any(each is node for each in walk(test))
