"""Finds the lines that move to the update together, and rewrites the conditions around them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from gradlint.edits import Delete, Edit, Insert, Move, Wrap
from gradlint.fixes.decision_text import as_text, line_text
from gradlint.fixes.guards import only_asks
from gradlint.fixes.places import Places, targets_of
from gradlint.fixes.returned import read_elsewhere
from gradlint.model.syntax.expressions import dotted, subnodes, text, walk
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What


@dataclass(frozen=True, eq=False)
class Decision:
    """The outermost statement that contains some lines but not the update.

    `pieces` are its largest parts that contain only those lines. `guard` is the condition of the update: if moving the lines
    would leave a branch empty, they stay and test it. `reported` are the names of results that may be read where no update has
    run, but decide nothing there. `same` means that the update is under the same condition, so the lines need none there.
    """

    statement: cst.CSTNode
    lines: tuple[cst.SimpleStatementLine, ...]
    pieces: tuple[cst.CSTNode, ...]
    guard: str = ""
    reported: tuple[str, ...] = ()
    same: bool = False

    @property
    def bare(self) -> bool:
        """Whether the pieces are under no condition."""
        pieces = {id(each) for each in self.pieces}
        conditions = (each for each in walk(self.statement) if isinstance(each, cst.If) and id(each) not in pieces)
        return not any(_holds(each, self.pieces) for each in conditions)

    @property
    def written(self) -> str:
        """The lines under their conditions, as text."""
        return "\n".join(as_text(self.statement, {id(each) for each in self.lines}))

    def edits(self, anchor: cst.CSTNode, *, after: bool) -> list[Edit]:
        """The edits that move the lines next to a statement, or make them run only if it does."""
        if self.guard:
            return [Wrap(block[0], block[-1], f"if {self.guard}:") for block in adjacent(self.statement, self.pieces)]
        if self.same:
            plain = "\n".join(line for each in self.lines for line in line_text(each))
            return [Insert(anchor, plain, after=after), Delete(self.statement)]
        if self.bare:
            return [Move(each, anchor, after=after) for each in self.pieces]
        return [Insert(anchor, self.written, after=after), *(Delete(each) for each in self.pieces)]


def decision_of(line: cst.CSTNode, update: cst.CSTNode, kinds: Collection[What], scene: Scene, places: Places) -> Decision | str:
    """The decision that moves with a line to the update, or why it cannot move. `kinds` are the kinds of events that move."""
    whole = next(each for each in reversed(places.around(line)) if not places.holds(each, update))
    moved = [event for event in _events(scene) if event.what in kinds and event.target in (-1, scene.event.target)]
    lines = list(_lines(whole, moved, scene, places))
    others = [event for event in _events(scene) if event.what not in kinds and event.what in _OF_TRAINING]
    if any(places.line_of(each) is not each or _leads(each, others, places) for each in lines):
        return "the call shares its line with other code"
    reported = read_elsewhere(lines, update, others, scene.loop, places)
    if reported is None:
        return "something uses the result of the call"
    pieces = tuple(_pieces(whole, {id(each) for each in lines}))
    found = Decision(whole, tuple(lines), pieces, reported=reported)
    if any(each is not whole and all(one in pieces for one in places.suite_of(each)) for each in pieces):
        guard = _guard_of(whole, update, places)
        if guard is None:
            return "the statement is the only one of its branch"
        found = replace(found, guard=" ".join(text(guard).split()))
        return _unsettled(found, update, places, guard) or found
    found = replace(found, same=_stands_alike(found, update, places))
    return ("" if found.bare else _unwritable(found)) or _unsettled(found, update, places) or found


def _stands_alike(found: Decision, update: cst.CSTNode, places: Places) -> bool:
    """Whether the condition around the lines contains nothing else and equals the condition directly around the update."""
    whole = found.statement
    if not isinstance(whole, cst.If) or whole.orelse is not None or list(whole.body.body) != list(found.lines):
        return False
    outer = next((each for each in places.suite_of(whole) if places.holds(each, update)), None)
    under = isinstance(outer, cst.If) and places.suite_of(update) is outer.body.body
    return under and isinstance(outer, cst.If) and _asked(outer) == _asked(whole)


def _asked(node: cst.If) -> str:
    """The condition of an `if`, on one line."""
    return " ".join(text(node.test.with_changes(lpar=(), rpar=())).split())


def _guard_of(whole: cst.CSTNode, update: cst.CSTNode, places: Places) -> cst.BaseExpression | None:
    """The condition directly around the update, in the block of the decision, if it has no side effects."""
    outer = next((each for each in places.suite_of(whole) if places.holds(each, update)), None)
    if not isinstance(outer, cst.If) or not any(each is update for each in outer.body.body):
        return None
    return outer.test if only_asks(outer.test) else None


def adjacent(statement: cst.CSTNode, pieces: Sequence[cst.CSTNode]) -> Iterator[list[cst.CSTNode]]:
    """The pieces in each block, grouped into runs of adjacent statements."""
    going = {id(each) for each in pieces}
    if any(each is statement for each in pieces):
        yield [statement]
        return
    for block in (each for each in walk(statement) if isinstance(each, cst.IndentedBlock)):
        run: list[cst.CSTNode] = []
        for each in block.body:
            if id(each) in going:
                run.append(each)
            elif run:
                yield run
                run = []
        if run:
            yield run


def _lines(whole: cst.CSTNode, moved: Sequence[Event], scene: Scene, places: Places) -> Iterator[cst.SimpleStatementLine]:
    """The lines of a decision that lead to some events, and lines in branches that no run takes that call the same functions."""
    lines = [each for each in walk(whole) if isinstance(each, cst.SimpleStatementLine)]
    own = {id(each) for each in lines if _leads(each, moved, places)}
    called = {func for each in lines if id(each) in own and (func := _called(each)) is not None}
    for each in lines:
        if id(each) in own or (_called(each) in called and not _leads(each, list(_events(scene)), places)):
            yield each


def _called(line: cst.SimpleStatementLine) -> str | None:
    """The callee of a line that consists of one call."""
    small = line.body[0] if len(line.body) == 1 else None
    value = small.value if isinstance(small, (cst.Expr, cst.Assign)) else None
    return text(value.func) if isinstance(value, cst.Call) else None


def following(found: Decision, update: cst.CSTNode, kinds: Collection[What], scene: Scene, places: Places) -> Iterator[Decision]:
    """The clips that must follow the unscaling to the update. Left in place, they would clip scaled gradients."""
    if scene.event.what is not What.UNSCALE or What.CLIP not in kinds:
        return
    suite, met = places.suite_of(found.statement), {id(found.statement)}
    # Another rule handles a clip after the update.
    suite = suite[: next((place for place, each in enumerate(suite) if places.holds(each, update)), len(suite))]
    for event in _events(scene):
        for node in (event.node, *event.stack) if event.what is What.CLIP else ():
            line = places.line_of(node)
            home = next((each for each in suite if line is not None and places.holds(each, line)), None)
            if line is None or home is None or id(home) in met or places.holds(home, update) or home in places.suite_of(update):
                continue
            met.add(id(home))
            other = decision_of(line, update, {What.CLIP}, scene, places)
            if isinstance(other, Decision):
                yield other


_OF_TRAINING = frozenset(
    (What.BACKWARD, What.STEP, What.ZERO, What.CLIP, What.UNSCALE, What.SCALER_UPDATE, What.SCHEDULE, What.AVERAGE, What.RESCALE)
)


def _events(scene: Scene) -> Iterator[Event]:
    for run in scene.runs or (scene.run,):
        yield from run.trace.events


def _leads(line: cst.CSTNode, events: Sequence[Event], places: Places) -> bool:
    """Whether a line contains one of some events, or a call that leads to one."""
    return any(places.holds(line, node) for event in events for node in (event.node, *event.stack))


def _pieces(statement: cst.CSTNode, going: Collection[int]) -> Iterator[cst.CSTNode]:
    """The largest statements that contain moving lines and no others."""
    lines = [id(each) in going for each in walk(statement) if isinstance(each, cst.SimpleStatementLine)]
    if lines and all(lines):
        yield statement
    elif any(lines):
        for block in _blocks(statement):
            for each in block.body:
                yield from _pieces(each, going)


def _blocks(statement: cst.CSTNode) -> Iterator[cst.IndentedBlock]:
    """The blocks of a compound statement, including those of all its branches."""
    for child in subnodes(statement):
        if isinstance(child, cst.IndentedBlock):
            yield child
        elif not isinstance(child, cst.BaseExpression):
            yield from _blocks(child)


def _unsettled(found: Decision, update: cst.CSTNode, places: Places, guard: cst.CSTNode | None = None) -> str:
    """Why the lines cannot move, if a name that they or their conditions use changes before the update."""
    suite = places.suite_of(found.statement)
    start = next(index for index, each in enumerate(suite) if each is found.statement)
    end = next((index for index, each in enumerate(suite) if places.holds(each, update)), None)
    if end is None or end < start:
        return ""
    tests = [each.test for each in walk(found.statement) if isinstance(each, cst.If)] if guard is None else [guard]
    going = {id(each) for line in found.lines for each in walk(line)}
    own = {dotted(each) for line in found.lines for part in walk(line) for each in targets_of(part)}
    anew = named_anew([*found.lines, *tests], suite[start:end], going, own)
    return f"`{text(anew)}` changes before the update" if anew is not None else ""


def named_anew(
    nodes: cst.CSTNode | Sequence[cst.CSTNode],
    statements: Sequence[cst.CSTNode],
    going: Collection[int] = (),
    own: Collection[str | None] = (),
) -> cst.CSTNode | None:
    """A name that the nodes use, where the statements change it. Ignores the names in `own` and the nodes in `going`."""
    parts = [nodes] if isinstance(nodes, cst.CSTNode) else nodes
    named = {dotted(each) for node in parts for each in walk(node) if isinstance(each, (cst.Name, cst.Attribute))}
    for each in (node for statement in statements for node in walk(statement) if id(node) not in going):
        for target in targets_of(each):
            if dotted(target) in named and dotted(target) not in (None, *own):
                return target
    return None


def _unwritable(found: Decision) -> str:
    """Why the decision cannot be written again in the update."""
    for each in walk(found.statement):
        if isinstance(each, (cst.Try, cst.Match, cst.FunctionDef, cst.ClassDef)) and _holds(each, found.lines):
            return "the call has its own condition"
        if isinstance(each, cst.If) and _holds(each, found.lines):
            if not only_asks(each.test):
                return "the condition around the call may have side effects"
    return "there is a comment inside the statement" if "#" in found.written else ""


def _holds(node: cst.CSTNode, lines: Sequence[cst.CSTNode]) -> bool:
    inside = {id(each) for each in walk(node)}
    return any(id(each) in inside for each in lines)
