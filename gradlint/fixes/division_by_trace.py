"""Removes or corrects the division of a loss, for faults in a simulated run."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Delete, Edit, Replace
from gradlint.finding import Fix
from gradlint.fixes.loss_by_trace import divided_at
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, atom, bare, divided, in_several_places, unsafe, withheld
from gradlint.fixes.update_by_trace import called_apart
from gradlint.model.syntax.expressions import text, walk
from gradlint.simulate.roots import backwards
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What
from gradlint.simulate.twice import superfluous


def parts_of(node: cst.CSTNode) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
    """The dividend and the divisor of a node, if it divides."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Divide, cst.FloorDivide, cst.Multiply)):
        return node.left, node.right
    if isinstance(node, cst.AugAssign) and isinstance(node.operator, (cst.DivideAssign, cst.FloorDivideAssign)):
        return node.target, node.value
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        given = [each.value for each in node.args]
        if len(given) == 1 and node.func.attr.value.rstrip("_") in ("div", "divide", "true_divide"):
            return node.func.value, given[0]
        if len(given) == 2 and text(node.func) in ("torch.div", "torch.divide", "torch.true_divide"):
            return given[0], given[1]
    return None


def _multiplies(node: cst.CSTNode) -> bool:
    """Whether a node divides by multiplying with an inverse."""
    return isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Multiply)


def divisor_of(node: cst.CSTNode) -> cst.BaseExpression | None:
    """The divisor of a node, if it divides."""
    parts = parts_of(node)
    return parts[1] if parts is not None else None


def undo_division(scene: Scene) -> Outcome:
    """Remove a division that comes on top of another. If a branch has no other division, add one there."""
    node, places = scene.place, scene.script.once(Places)
    parts = parts_of(node)
    if parts is None or _multiplies(node):
        return withheld("the second division is not written as a division")
    dividend, divisor = parts
    shared = called_apart(node, scene, places)
    if shared is not None:
        return withheld(*in_several_places(shared))
    removed = _removal(node, dividend, places)
    if isinstance(removed, str):
        return withheld(removed)
    edits: dict[int, Edit] = {}
    for event in _needing(scene):
        own = divided_at(event.node, text(divisor), places)
        if own is None or event.through not in ("", "scaler") or _apart(event, scene, places):
            return withheld(f"{scene.quoted(event.node)} needs this division too, and has no other", event.node)
        edits.setdefault(id(event.node), own)
    unmet = _unmet(scene, places)
    for call in unmet:
        own = divided_at(call, text(divisor), places)
        if own is not None:
            edits[id(call)] = own
    message = f"Divide by `{text(divisor)}` only if nothing else does" if edits else f"Remove the division by `{text(divisor)}`"
    fix = Fix(message, (removed, *edits.values()))
    reader = _reader(scene) or _given_back(scene, places)
    if reader is not None:
        return unsafe(fix, f"{scene.quoted(reader)} also reads the divided loss", reader)
    if not unmet:
        return fix, None
    return unsafe(fix, f"gradlint does not know whether anything else divides before {scene.quoted(unmet[0])}")


def divide_by_steps(scene: Scene) -> Outcome:
    """Replace the divisor of a loss with the accumulation steps."""
    node, steps, places = scene.place, scene.steps_here, scene.script.once(Places)
    parts = parts_of(node)
    if parts is None:
        return withheld("the divisor is not written as one expression")
    if steps is None or places.function_of(node) is not places.function_of(scene.event.node):
        return withheld("the accumulation steps have no name at this call")
    dividend, divisor = parts
    edit = Replace(node, divided(dividend, steps)) if _multiplies(node) else Replace(divisor, atom(steps))
    return unsafe(Fix(f"Divide by `{steps}`", (edit,)), "the divisor may be right, and the window wrong")


def _removal(node: cst.CSTNode, dividend: cst.BaseExpression, places: Places) -> Edit | str:
    """The edit that removes a division, or why there is none.

    It deletes the whole line if that does nothing else, and the whole branch if that contains nothing else.
    """
    line = places.line_of(node)
    small = line.body[0] if line is not None else None
    whole = small is node or (isinstance(small, cst.Expr) and small.value is node)
    if line is None:
        in_place = isinstance(node, cst.AugAssign) or (isinstance(node, cst.Call) and text(node.func).endswith("_"))
        return "the division shares its line with another statement" if in_place else Replace(node, bare(dividend))
    if not whole and not _only_divides(small, node, dividend):
        return _in_place_of(node, dividend, line)
    if len(places.suite_of(line)) > 1:
        return Delete(line)
    around = places.around(line)
    branch = around[1] if len(around) > 1 else None
    alone = isinstance(branch, cst.If) and branch.orelse is None and _is_own(branch, places)
    return Delete(branch) if alone and branch is not None else "the statement is the only one of its branch"


def _in_place_of(node: cst.CSTNode, dividend: cst.BaseExpression, line: cst.CSTNode) -> Edit:
    """The edit that puts the dividend in place of the quotient: `(loss / N).backward()` becomes `loss.backward()`."""
    owner = next((each for each in walk(line) if isinstance(each, cst.Attribute) and each.value is node), None)
    alone = isinstance(dividend, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)) and "\n" not in text(node)
    if owner is None or not alone or owner.lpar:
        return Replace(node, bare(dividend))
    return Replace(owner, f"{bare(dividend)}.{owner.attr.value}")


def _is_own(branch: cst.If, places: Places) -> bool:
    """Whether an `if` is a separate statement, not an `elif`."""
    return any(each is branch for each in places.suite_of(branch))


def _only_divides(small: cst.CSTNode | None, node: cst.CSTNode, dividend: cst.BaseExpression) -> bool:
    if not isinstance(small, cst.Assign) or small.value is not node or len(small.targets) != 1:
        return False
    return text(small.targets[0].target) == text(dividend)


def _needing(scene: Scene) -> list[Event]:
    """The backward passes that use the quotient and have no other division."""
    found: dict[int, Event] = {}
    for run in scene.runs:
        for event in run.trace.of(What.BACKWARD):
            for _, factor in event.terms:
                mine = any(each is scene.place for each in factor.divisors)
                if mine and superfluous(event, factor, run.trace.divisors[scene.place][0], run.trace) is None:
                    found.setdefault(id(event.node), event)
    return list(found.values())


def _unmet(scene: Scene, places: Places) -> list[cst.Call]:
    """The backward passes in the function that no run reaches."""
    function = places.function_of(scene.place)
    met = {id(event.node) for run in scene.runs for event in run.trace.of(What.BACKWARD)}
    return [each for each in backwards([function] if function is not None else []) if id(each) not in met]


def _given_back(scene: Scene, places: Places) -> cst.CSTNode | None:
    """The `return` that passes the quotient to unknown callers."""
    function, dividend = places.function_of(scene.place), text((parts_of(scene.place) or (cst.Name("_"),))[0])
    if function is None or not any(each is function for each in scene.event.loops):
        return None
    returns = [each for each in walk(function) if isinstance(each, cst.Return) and each.value is not None]
    behind = (each for each in returns if not any(inner is scene.place for inner in walk(each)))
    return next((each for each in behind if any(text(n) == dividend for n in walk(each) if isinstance(n, cst.Name))), None)


def _apart(event: Event, scene: Scene, places: Places) -> bool:
    return places.function_of(event.node) is not places.function_of(scene.place)


def _reader(scene: Scene) -> cst.CSTNode | None:
    """The call that reports the quotient."""
    for run in scene.runs:
        for event in run.trace.of(What.REPORT):
            if any(each is scene.place for _, factor in event.terms for each in factor.divisors):
                return event.node
    return None
