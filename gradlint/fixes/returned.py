"""What a call that goes to the update returns: whether that is read where no update has been, and decides anything there."""

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
    """The names of what some lines return that is read where the update may not have been; None where that decides about training.

    `others` are the events that it must not decide about.
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
        # What it is read for holds no part of training, unless the lines themselves stand there.
        apart = [around for around in own if not any(around is one for one in below)]
        if any(places.holds(around, node) for around in apart if not _gives(around, names) for node in acting):
            return None
        if any(isinstance(around, (cst.If, cst.While)) and _asks(around.test, each) for around in own if around not in apart):
            return None
    return tuple(sorted(names))


def _targets(lines: Sequence[cst.SimpleStatementLine]) -> list[cst.BaseExpression] | None:
    """What the lines give a value; None where one of them does something else."""
    found: list[cst.BaseExpression] = []
    for small in (line.body[0] for line in lines):
        if isinstance(small, cst.Assign):
            found += [each.target for each in small.targets]
        elif not isinstance(small, cst.Expr):
            return None
    return found if all(isinstance(each, cst.Name) for each in found) or not found else None


def each_is_plain(node: cst.CSTNode, names: set[str]) -> bool:
    """Whether a name is a plain one, which a line before the loop can give a value."""
    return isinstance(node, cst.Name) and node.value in names


def _gives(statement: cst.CSTNode, names: set[str]) -> bool:
    """Whether a statement only gives one of the names another value, as the other arm of a decision does."""
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    return isinstance(small, cst.Assign) and all(dotted(each.target) in names for each in small.targets)


def _asks(test: cst.CSTNode, node: cst.CSTNode) -> bool:
    return any(each is node for each in walk(test))
