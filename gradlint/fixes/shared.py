"""Fixes that several rules share: moving an event to its place in the update, and writing a division by N."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import libcst as cst

from gradlint.diagnostic import Applicability
from gradlint.edits import AddImport, Enclose, Insert, Move, Wrap
from gradlint.finding import Fix
from gradlint.model.anchors import Withheld, flags_of, own_condition, piece, place_for, tail_place
from gradlint.model.bystanders import named, settled, stranger_beside
from gradlint.model.construct import knows_steps
from gradlint.model.names.vocabulary import LENGTH_ARGUMENTS
from gradlint.model.syntax.expressions import last_name, literal, text, walk
from gradlint.model.types import Boundary, Cadence, Engine, Event, Kind, Schedule, TrainingLoop

Outcome = tuple[Fix | None, str | None]
"""A fix, or the note that says why there is none."""


ENDS_EARLY = "`OneCycleLR` is as long as the full windows, and PyTorch raises where it is stepped past its end"


def withheld(reason: str) -> Outcome:
    """No fix, with its reason."""
    return None, f"no fix is offered: {reason}"


def unsafe(fix: Fix, reason: str) -> Outcome:
    """The fix, as one that assumes something, and what."""
    return replace(fix, applicability=Applicability.UNSAFE), f"the fix is not safe: {reason}"


def into_update(
    event: Event, update: Event, loop: TrainingLoop, message: str, applicability: Applicability = Applicability.SAFE
) -> Outcome:
    """Move an event to its canonical place in the suite that runs once per update."""
    unit = piece(event, loop)
    if isinstance(unit, Withheld):
        return withheld(unit.reason)
    if own_condition(event, unit, loop, update):
        return withheld("it stands under a condition of its own")
    if loop.engine is Engine.ACCELERATE and update.boundary is None:
        return under_sync_gradients(unit, loop, applicability)
    if event.frame is not update.frame:
        return withheld("the call and the optimizer's step are in different functions")
    anchor = place_for(event.kind, loop, update, event)
    if isinstance(anchor, Withheld):
        return withheld(anchor.reason)
    moves: list[Move] = []
    copies: list[Insert] = []
    for each in together(event, unit, update, loop):
        copy = into_tail(event.kind, each, loop, event)
        if isinstance(copy, Withheld):
            return withheld(copy.reason)
        place = settled(event, each, anchor, loop)
        if isinstance(place, Withheld):
            return withheld(place.reason)
        moves.append(Move(each, place.statement, place.after))
        copies.extend(copy)
    return Fix(message, (*moves, *copies), applicability), None


def together(event: Event, unit: cst.CSTNode, update: Event, loop: TrainingLoop) -> list[cst.CSTNode]:
    """What moves with an event to an update, and with it the same call for other optimizers, so that their order stays."""
    units: list[cst.CSTNode] = []
    for each in loop.all(event.kind):
        same = each.suite is event.suite and each.cadence is event.cadence and each.target != event.target
        own = unit if each is event else piece(each, loop) if same else None
        if own is None or isinstance(own, Withheld) or own_condition(each, own, loop, update):
            continue
        if not any(own is other for other in units):
            units.append(own)
    return units


def into_tail(kind: Kind, unit: cst.CSTNode | str, loop: TrainingLoop, event: Event) -> tuple[Insert, ...] | Withheld:
    """The same lines in the update of the tail, where that stands after the loop and lacks them."""
    place = tail_place(kind, loop, event)
    if place is None or isinstance(place, Withheld):
        return place or ()
    stranger = stranger_beside(place, event, loop)
    if stranger is not None:
        return Withheld(f"{named(stranger, loop)} stands in the update of the tail, where the call has to go too")
    if isinstance(unit, cst.SimpleStatementLine):
        unit = unit.with_changes(trailing_whitespace=cst.TrailingWhitespace())
    return (Insert(place.statement, unit if isinstance(unit, str) else text(unit), place.after),)


def for_each_optimizer(steps: Sequence[Event], place: Event, line: str) -> str:
    """Lines that do the same to every optimizer that steps, under the loop over optimizers that a step stands in.

    `line` has `{}` for the optimizer; `place` is the event beside which the lines will stand.
    """
    lines: list[str] = []
    for step in steps:
        node = step.args[0].value if step.through == "scaler" and step.args else step.receiver
        if node is None:
            continue
        call = line.format(text(node))
        own = [g.node for g in step.path if g.kind == "loop" and not any(g is each for each in place.path)]
        if len(own) == 1 and isinstance(own[0], cst.For):
            call = f"for {text(own[0].target)} in {text(own[0].iter)}:\n    {call}"
        if call not in lines:
            lines.append(call)
    return "\n".join(lines)


def under_sync_gradients(unit: cst.CSTNode, loop: TrainingLoop, applicability: Applicability = Applicability.SAFE) -> Outcome:
    """Put a statement under `if accelerator.sync_gradients:`, in its place."""
    name = accelerator_of(loop)
    if name is None:
        return withheld("the accelerator has no name here")
    if any(last_name(node) == "sync_gradients" for node in walk(unit)):
        return withheld("it asks for `sync_gradients` itself")
    fix = Fix(f"Run it only when `{name}.sync_gradients`", (Wrap(unit, unit, f"if {name}.sync_gradients:"),), applicability)
    return fix, None


def accelerator_of(loop: TrainingLoop) -> str | None:
    """The expression that names the accelerator in this loop."""
    for backward in loop.all(Kind.BACKWARD):
        for guard in backward.path:
            if guard.kind == "with" and isinstance(guard.test, cst.Call) and last_name(guard.test.func) == "accumulate":
                func = guard.test.func
                return text(func.value) if isinstance(func, cst.Attribute) else None
    return None


def divided(node: cst.BaseExpression, n: str) -> str:
    """`node / n` as text, with the parentheses that precedence asks for."""
    return f"{operand(node)} / {atom(n)}"


def divide(node: cst.BaseExpression, n: str) -> Enclose:
    """The same where the expression stands, on however many lines."""
    loose = operand(node) != bare(node)
    return Enclose(node, "(" if loose else "", f"{')' if loose else ''} / {atom(n)}")


def divide_loss(backward: Event, loss: cst.BaseExpression, n: str) -> Enclose:
    """The loss over N where it is backpropagated."""
    new = divide(loss, n)
    receiver = isinstance(backward.node, cst.Call) and isinstance(backward.node.func, cst.Attribute)
    if backward.through is None and receiver and not getattr(loss, "lpar", ()):
        return Enclose(loss, f"({new.before}", f"{new.after})")
    return new


def operand(node: cst.BaseExpression) -> str:
    """An expression as the left operand of a division."""
    loose = (cst.BooleanOperation, cst.Comparison, cst.IfExp, cst.Lambda, cst.NamedExpr, cst.Await)
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        return f"({bare(node)})"
    if isinstance(node, loose):
        return f"({bare(node)})"
    if isinstance(node, cst.BinaryOperation) and not isinstance(node.operator, (cst.Multiply, cst.Divide, cst.MatrixMultiply)):
        return f"({bare(node)})"
    return bare(node)


def bare(node: cst.BaseExpression) -> str:
    """The expression's text without the parentheses around it."""
    whole = text(node)
    # An empty tuple is its parentheses; what goes over several lines may need them.
    if not getattr(node, "lpar", ()) or isinstance(node, cst.Tuple) or "\n" in whole:
        return whole
    return text(node.with_changes(lpar=(), rpar=()))


def atom(n: str) -> str:
    """N as a right operand: parenthesised unless it is a name, a number, a call or a subscript."""
    try:
        node = cst.parse_expression(n)
    except cst.ParserSyntaxError:
        return f"({n})"
    simple = isinstance(node, (cst.Name, cst.Attribute, cst.Integer, cst.Call, cst.Subscript))
    return n if simple or bool(getattr(node, "lpar", None)) else f"({n})"


def shifted(index: cst.BaseExpression, offset: int) -> str:
    """`index + offset` as text, constants folded: `i` and 1 give `(i + 1)`, `i + 1` and -1 give `i`."""
    base, constant = index, offset
    if isinstance(index, cst.BinaryOperation) and isinstance(index.operator, (cst.Add, cst.Subtract)):
        right, left = literal(index.right), literal(index.left)
        if isinstance(right, int):
            base, constant = index.left, offset + (right if isinstance(index.operator, cst.Add) else -right)
        elif isinstance(left, int) and isinstance(index.operator, cst.Add):
            base, constant = index.right, offset + left
    name = bare(base)
    if isinstance(base, cst.BinaryOperation):
        name = f"({name})"
    if constant == 0:
        return name
    return f"({name} {'+' if constant > 0 else '-'} {abs(constant)})"


def guards_of(loop: TrainingLoop, boundary: Boundary) -> list[Boundary]:
    """Every guard of the window with the same index and N, each once: of step, clip, scheduler, `no_sync`, zero_grad after the step."""
    first = min((e.index for e in loop.all(Kind.BACKWARD)), default=0)
    found: dict[int, Boundary] = {id(boundary.modulus or boundary.test): boundary}
    for event in loop.events:
        other = event.boundary
        if (
            other is None
            or event.cadence not in (Cadence.PER_UPDATE, Cadence.INSIDE_WINDOW)
            or (event.index < first and event.kind is not Kind.NO_SYNC)
        ):
            continue
        if other.index is not None and boundary.index is not None and text(other.index) == text(boundary.index):
            found.setdefault(id(other.modulus or other.test), other)
    return list(found.values())


def decides_apart(loop: TrainingLoop) -> bool:
    """Whether gradients are synchronised by a test of its own: `no_backward_sync(model, enabled=i % N != 0)`."""
    return any(
        isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Modulo)
        for event in loop.all(Kind.NO_SYNC)
        for arg in event.args
        for node in walk(arg.value)
    )


def comparison_in(boundary: Boundary) -> cst.BaseExpression:
    """The part of a boundary's test that holds the modulus: the comparison, or the modulus itself."""
    for node in walk(boundary.test):
        if isinstance(node, cst.Comparison) and any(each is boundary.modulus for each in walk(node)):
            return node
    return boundary.modulus or boundary.test


def part_of(boundary: Boundary) -> cst.BaseExpression | None:
    """The one condition of a boundary's test that asks for the remainder; None where it is part of something else."""
    node = boundary.test
    while isinstance(node, cst.BooleanOperation):
        sides = [side for side in (node.left, node.right) if any(each is boundary.modulus for each in walk(side))]
        if len(sides) != 1:
            return None
        node = sides[0]
    inner = [each for each in walk(node) if isinstance(each, cst.BooleanOperation)]
    return node if not inner or node is boundary.test else None


def no_sync_header(model: str, update: Event) -> str | None:
    """`model.no_sync() if not boundary else nullcontext()`, where the boundary is known before the forward pass."""
    test = inside_window(update)
    return f"{model}.no_sync() if {test} else nullcontext()" if test is not None else None


def inside_window(update: Event) -> str | None:
    """The complement of the guard of the step, where its index is known from the start of the iteration."""
    boundary = update.boundary
    if boundary is None or boundary.modulus is None or not boundary.restarts:
        return None
    flag = next(iter(flags_of(boundary)), None)
    if flag is not None:
        return flag if boundary.negative else f"not {flag}"
    if boundary.negative:
        return text(boundary.test)
    if isinstance(boundary.test, cst.Comparison) and isinstance(boundary.test.comparisons[0].operator, cst.Equal):
        left, right = boundary.test.left, boundary.test.comparisons[0].comparator
        return f"{text(left)} != {text(right)}"
    return f"not ({text(boundary.test)})"


NULLCONTEXT = AddImport("from contextlib import nullcontext")


def ends_with_full_windows(loop: TrainingLoop) -> bool:
    """A schedule that refuses steps past its end has none for a partial window: its length is rounded down."""
    return any(last_name(schedule.call.func) == "OneCycleLR" for schedule in _rounded_down(loop))


def counted_in_full_windows(loop: TrainingLoop) -> Schedule | None:
    """A schedule whose length has no update for a partial window."""
    return next(_rounded_down(loop), None)


def counted_by_optimizer(loop: TrainingLoop) -> str | None:
    """The argument that tells an optimizer with a schedule of its own, such as BertAdam, how many steps the run has."""
    calls = (call for step in loop.all(Kind.OPTIMIZER_STEP) for call in step.details.builders)
    words = (arg.keyword.value for call in calls for arg in call.args if arg.keyword is not None)
    return next((word for word in words if word in LENGTH_ARGUMENTS), None)


def _rounded_down(loop: TrainingLoop) -> Iterator[Schedule]:
    for _, schedule in loop.schedules:
        if loop.steps is not None and not schedule.rounded_up and knows_steps(schedule, loop.steps, loop.words):
            yield schedule
