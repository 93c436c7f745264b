"""GRD102 double-scaled-loss; the page is rules/GRD102.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Delete, Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, bare, divide_loss, unsafe, withheld
from gradlint.model.bystanders import named
from gradlint.model.reading import reads_of
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Division, Event, Kind, Path, Scale, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


def _shown(scene: Scene) -> Finding:
    message = f"The loss is divided by {scene.n} twice on its way to {scene.here}: the gradient is N times too small"
    return Finding(scene.place, message, ((scene.step.node, "the gradients are used here"),))


@rule(
    "GRD102",
    "double-scaled-loss",
    "The loss is divided by the accumulation steps twice",
    promise=changing(factors=True),
    shown=_shown,
)
def double_scaled_loss(loop: TrainingLoop) -> Iterator[Finding]:
    seen: set[int] = set()
    for backward in loop.all(Kind.BACKWARD):
        scale = backward.scale
        if scale is None or scale.scale is Scale.UNKNOWN:
            continue
        manual = [d for d in scale.divisions if d.by_steps and not exclusive(d.path, backward.path)]
        engine = loop.engine_divides(backward)
        twice = [d for d in scale.doubled if _surely(d.path, backward.path)]
        doubled = manual if engine else twice
        for division in doubled:
            if id(division.node) in seen:
                continue
            seen.add(id(division.node))
            other = next((d for d in manual if d.node is not division.node), division)
            first = engine or f"`{text(other.node)}`"
            fix, note = _undo(division)
            needy = [b for b in loop.all(Kind.BACKWARD) if b is not backward and _needs(b, division, loop)]
            apart = next(
                (b for b in needy if b.through not in (None, "scaler") or b.loss is None or b.frame is not backward.frame), None
            )
            if apart is not None:
                fix, note = withheld(f"{named(apart.node, loop)} needs the division, and has no other")
            elif fix is not None and needy:
                own = [divide_loss(b, b.loss, text(division.divisor)) for b in needy if b.loss is not None]
                fix = Fix(f"Divide by `{text(division.divisor)}` only where nothing else does", (*fix.edits, *own))
            if fix is not None and (reader := _reader(division, backward, loop)) is not None:
                fix, note = unsafe(fix, f"{named(reader, loop)} reads the divided loss, too")
            yield Finding(
                at=division.node,
                message=f"The loss is divided by `{text(division.divisor)}` here and again by {first}: "
                "the gradient is N times too small",
                related=((backward.node if engine else other.node, "it is divided here as well"),),
                fix=fix,
                note=note,
            )


def _needs(other: Event, division: Division, loop: TrainingLoop) -> bool:
    """Another backward pass that is given the same quotient, and has no other division."""
    scale = other.scale
    if scale is None or exclusive(division.path, other.path) or not any(d.node is division.node for d in scale.divisions):
        return False
    return loop.engine_divides(other) is None and not any(d.node is division.node for d in scale.doubled)


def _reader(division: Division, backward: Event, loop: TrainingLoop) -> cst.CSTNode | None:
    """What reads the name of the quotient behind the division, other than to backpropagate it."""
    tree, statement = loop.facts.tree, division.statement
    if statement is None or tree.run(statement) is None:
        return None
    targets: list[cst.CSTNode] = [each.target for each in tree.of(cst.AssignTarget, statement)] or [division.dividend]
    end = max(tree.run(statement) or (0, 0))
    known = [event.node for event in loop.all(Kind.BACKWARD)]
    for target in targets if isinstance(targets[0], cst.Name) else ():
        for read in reads_of(text(target), loop.node, loop.facts):
            place = tree.run(read)
            if place is not None and place[0] >= end and not any(tree.holds(node, read) for node in known):
                return next((line for line in tree.of(cst.SimpleStatementLine, loop.node) if tree.holds(line, read)), read)
    return None


def _surely(path: Path, of: Path) -> bool:
    arms = {(g.group, g.arm) for g in of}
    return all(g.kind != "branch" or (g.group, g.arm) in arms for g in path)


def _undo(division: Division) -> Outcome:
    message = f"Remove the division by `{text(division.divisor)}`"
    statement = division.statement
    alone = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    in_place = isinstance(alone, cst.Expr) and alone.value is division.node
    whole = isinstance(division.node, cst.AugAssign) or in_place
    if isinstance(statement, cst.SimpleStatementLine) and (whole or _only_divides(statement, division)):
        for guard in reversed(division.path):
            block = getattr(guard.node, "body", None)
            if guard.kind == "branch" and statement in getattr(block, "body", ()):
                if len(block.body) == 1:  # type: ignore[union-attr]
                    if guard.arm == 0 and getattr(guard.node, "orelse", None) is None and guard.suite is not None:
                        return Fix(message, (Delete(guard.node),)), None
                    return withheld("it is the only statement of its branch")
        return Fix(message, (Delete(statement),)), None
    if whole:
        return withheld("the division shares its line with another statement")
    return Fix(message, (Replace(division.node, bare(division.dividend)),)), None


def _only_divides(statement: cst.SimpleStatementLine, division: Division) -> bool:
    small = statement.body[0]
    if not isinstance(small, cst.Assign) or small.value is not division.node or len(small.targets) != 1:
        return False
    return text(small.targets[0].target) == text(division.dividend)
