"""The fix for a schedule that counts micro-batches: its length is given in updates, unless other code reads it."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from gradlint.edits import AddImport, Edit, Enclose, Replace
from gradlint.finding import Fix
from gradlint.fixes.definitions import Definition, names_in
from gradlint.fixes.shared import Outcome, atom, bare, in_several_places, unsafe, withheld
from gradlint.fixes.told_lengths import Told, batches_in, rounds_down, steps_at
from gradlint.fixes.update_by_trace import called_apart
from gradlint.model.syntax.expressions import NOT_LITERAL, dotted, last_name, literal, text, walk
from gradlint.simulate.lengths import multiplied
from gradlint.simulate.pace import passes_in
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Length
from gradlint.simulate.world import last_part

_IMPORT = AddImport("import math")
_COUNT = "Count updates, not micro-batches"


def in_updates(told: Told) -> Outcome:
    """Divide the length by N: where it is counted if only the schedule reads it, otherwise where it is passed."""
    scene, (trail, length) = told.scene, told.trail
    edited = (told.length.place, *(each.value for each in trail))
    shared = next((call for node in edited if (call := called_apart(node, scene, told.names.places)) is not None), None)
    if shared is not None:
        return withheld(*in_several_places(shared))
    if told.product:
        return _without_steps(told)
    if any(multiplied(each.count, scene.view) for each in scene.event.lengths):
        fix, note = _divided(told, trail, length)
        reason = "another length in the same call is multiplied by N, and would still count micro-batches"
        return unsafe(fix, reason) if fix is not None else (fix, note)
    return _divided(told, trail, length)


def _divided(told: Told, trail: Sequence[Definition], length: cst.BaseExpression | None) -> Outcome:
    if length is None or (told.call is None and not told.is_name):
        return _whole(told)
    steps = steps_at(told.scene, length, told.names)
    alone = all(told.names.read_alone(each, told.readers) for each in trail)
    if alone and steps is not None:
        batches = batches_in(trail[-1].value if trail else told.length.place, length)
        fix = Fix(_COUNT, _edits(batches, batches is told.length.place, steps, told.scene))
        return _assuming(fix, told, trail)
    return _written_out(told, trail, length)


def _edits(node: cst.BaseExpression, whole: bool, steps: str, scene: Scene) -> tuple[Edit, ...]:
    if not rounds_down(scene):
        return Enclose(node, "math.ceil(", f" / {atom(steps)})"), _IMPORT
    return (Enclose(node, "" if whole else "(", f" // {atom(steps)}{'' if whole else ')'}"),)


def _written_out(told: Told, trail: Sequence[Definition], length: cst.BaseExpression) -> Outcome:
    """Pass the schedule the length itself, with the definitions of its names inlined, since other code reads those names."""
    place, names = told.length.place, told.names
    steps, given = steps_at(told.scene, place, names), _spelled(place, trail, told)
    if steps is None or given is None:
        return _whole(told)
    call = text(length)
    n = atom(steps)
    up = not rounds_down(told.scene)
    there = f"math.ceil({call} / {n})" if up else f"({call} // {n})" if given != call else f"{call} // {n}"
    written = given.replace(call, there)
    edits: list[Edit] = [
        Replace(each, written if each is place and told.call is not None else f"({written})") for each in told.places
    ]
    fix = Fix(_COUNT, (*edits, _IMPORT) if up else tuple(edits))
    return _assuming(fix, told, trail)


def _spelled(place: cst.CSTNode, trail: Sequence[Definition], told: Told) -> str | None:
    """A length, written so that it can be passed directly. None if a name would have another value there."""
    if told.in_settings or not trail or not isinstance(place, cst.BaseExpression):
        return None
    names, end = told.names, told.call or place
    for each in trail:
        parts = [key for node in names_in(each.value) if (key := dotted(node)) is not None]
        if not all(names.unchanged(key, each.value, end) for key in parts):
            return None
    whole = _with_values(place, {each.name: each.value for each in trail})
    return whole if whole.count("len(") == 1 and "\n" not in whole else None


def _with_values(node: cst.BaseExpression, values: dict[str, cst.BaseExpression]) -> str:
    """The text of an expression with some names replaced by their values."""
    name = dotted(node)
    if name in values:
        return _with_values(values[name], values) if name is not None else text(node)
    whole = text(node)
    for each in names_in(node):
        key = dotted(each)
        if key in values and key is not None:
            value = values[key]
            inner = _with_values(value, values)
            loose = isinstance(value, (cst.BinaryOperation, cst.IfExp, cst.BooleanOperation)) and not value.lpar
            if loose and not _binds(node, value):
                inner = f"({inner})"
            whole = whole.replace(text(each), inner, 1)
    return whole


def _binds(node: cst.BaseExpression, value: cst.BaseExpression) -> bool:
    """Whether a product can be inserted into a sum or a product without parentheses."""
    plain = isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Multiply)
    return plain and isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Add, cst.Subtract, cst.Multiply))


def _whole(told: Told) -> Outcome:
    """Divide the length where it is passed to the schedule."""
    place, scene = told.length.place, told.scene
    steps = steps_at(scene, place, told.names)
    if steps is None:
        return withheld("the accumulation steps have no name where the length is given")
    if told.in_settings or told.call is None or not isinstance(place, cst.BaseExpression):
        return withheld("gradlint does not see where the length is computed")
    loose = not isinstance(place, (cst.Name, cst.Attribute, cst.Call, cst.Subscript))
    inner = ("(", ")") if loose and not place.lpar else ("", "")
    edits = [Enclose(each, f"math.ceil({inner[0]}", f"{inner[1]} / {atom(steps)})") for each in told.places]
    fix = Fix(_COUNT, (*edits, _IMPORT))
    if passes_in(told.length.count, scene.view) == 1 and told.length.name == "steps_per_epoch":
        return _assuming(fix, told, ())
    return unsafe(fix, "the fix divides the total length, but if each pass ends with a partial window, there are more updates")


def _assuming(fix: Fix, told: Told, trail: Sequence[Definition]) -> Outcome:
    values = [told.length.place, *(each.value for each in trail)]
    sums = [each for value in values for each in walk(value) if isinstance(each, cst.BinaryOperation)]
    if any(isinstance(each.operator, (cst.Add, cst.Subtract)) and not _is_constant(each) for each in sums):
        return unsafe(fix, "the script adds to the length, or subtracts from it, something that may count micro-batches as well")
    mended = {id(edit.node) for edit in fix.edits if isinstance(edit, (Enclose, Replace))}
    others = [each for each in told.scene.event.lengths if each is not told.length and _in_micro_batches(each, told.scene)]
    given = {each.name for each in trail}
    rest = [arg.value for arg in told.call.args if not any(id(node) in mended for node in walk(arg.value))] if told.call else []
    derived = any(id(each) in mended for each in told.places) and any(given & told.names.behind(each) for each in rest)
    if derived or any(not _reaches(each, mended, told) for each in others):
        return unsafe(fix, "another length in the same call may count micro-batches as well")
    if told.scene.event.handed and any(id(each) in mended for each in told.places) and dotted(told.length.place) is not None:
        return unsafe(fix, f"the position of the schedule may come from `{text(told.length.place)}`, which counts micro-batches")
    return fix, None


def _is_constant(node: cst.BinaryOperation) -> bool:
    return any(literal(side) is not NOT_LITERAL for side in (node.left, node.right))


def _in_micro_batches(each: Length, scene: Scene) -> bool:
    return any(name.startswith("len(") for name in each.count.of) and each.count.of.isdisjoint(scene.run.trace.n_names)


def _reaches(each: Length, mended: set[int], told: Told) -> bool:
    """Whether another length is computed from something that a fix changes."""
    values = [each.place]
    for value in values:
        if any(id(node) in mended for node in walk(value)):
            return True
        given = (told.names.of(name) for name in names_in(value)) if len(values) < 20 else ()
        values += [found.value for found in given if found is not None]
    return False


def _without_steps(told: Told) -> Outcome:
    """Remove N from a product, because a prepared scheduler already advances with the updates."""
    scene, place = told.scene, told.length.place
    spelled = {last_part(name) for name in scene.run.trace.n_names}
    for each in walk(place):
        if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, cst.Multiply):
            for side, other in ((each.left, each.right), (each.right, each.left)):
                if last_name(side) in spelled:
                    fix = Fix(_COUNT, (Replace(each, bare(other)),))
                    return unsafe(
                        fix, "a prepared scheduler advances once for each process, and the product may account for that"
                    )
    return withheld("the length is multiplied by N elsewhere")
