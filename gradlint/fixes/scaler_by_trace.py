"""Fixes for a scaler: it must handle each step and each loss, and be updated on every branch."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Insert, Move, Replace
from gradlint.finding import Fix
from gradlint.fixes.places import Places, Suite
from gradlint.fixes.shared import Outcome, bare, in_several_places, withheld
from gradlint.fixes.update_by_trace import called_apart
from gradlint.model.syntax.expressions import last_name, text, walk
from gradlint.simulate.precision import MIXED
from gradlint.simulate.scene import Scene
from gradlint.simulate.stalling import STALE
from gradlint.simulate.trace import UPDATES, Event, What

_LEAVES = (cst.Continue, cst.Break, cst.Return)


def update_in_any_case(scene: Scene) -> Outcome:
    """Move the update after the branch that contains it, or copy it to where the branch leaves early."""
    places, call, branch = scene.script.once(Places), scene.event.node, scene.fault.about
    if scene.fault.why == STALE:
        return withheld("skipping the step also skips clearing the gradients, so they would remain")
    line = places.line_of(call)
    if line is None or not isinstance(branch, cst.If) or not (isinstance(line.body[0], cst.Expr) and line.body[0].value is call):
        return withheld("the call shares its line with other code, or something uses its result")
    shared = called_apart(line, scene, places)
    if shared is not None:
        return withheld(*in_several_places(shared))
    suite, around = places.suite_of(line), places.suite_of(branch)
    if _suite(branch.body) is suite and len(suite) > 1 and not _updates(branch.orelse) and any(each is branch for each in around):
        return Fix("Update the scaler whether it steps or not", (Move(line, branch, after=True),)), None
    last = _suite(branch.body)[-1] if _suite(branch.body) else None
    leaves = isinstance(last, cst.SimpleStatementLine) and len(last.body) == 1 and isinstance(last.body[0], _LEAVES)
    if last is not None and leaves and suite is around and not _updates(branch.body):
        return Fix("Update the scaler even if the step is skipped", (Insert(last, text(line).strip()),)), None
    return withheld("the condition and the update are in different blocks")


def _suite(body: cst.BaseSuite) -> Suite:
    """The statements of an indented block."""
    return body.body if isinstance(body, cst.IndentedBlock) else ()


def _updates(part: cst.CSTNode | None) -> bool:
    """Whether a branch may update a scaler itself."""
    return part is not None and any(isinstance(each, cst.Call) and last_name(each.func) == UPDATES for each in walk(part))


def step_through_scaler(scene: Scene) -> Outcome:
    """Step through the scaler that scaled the loss, including other plain steps in the same block."""
    places, step = scene.script.once(Places), scene.event
    scaler = next(filter(None, (_scaler_of(each) for each in _feeding(step, scene))), None)
    line = places.line_of(step.node)
    if scaler is None or line is None or not _is_plain_step(step.node):
        return withheld("the scaler has no name at the step")
    backwards = {id(places.function_of(each.node)) for each in _feeding(step, scene)}
    if backwards != {id(places.function_of(step.node))}:
        return withheld("the scaler has no name at the step")
    steps = [event for run in scene.runs for event in run.trace.of(What.STEP)]
    beside = [each for each in steps if any(places.holds(one, each.node) for one in places.suite_of(line))]
    scaled = next((each for each in beside if each.through == "scaler" and each.target == step.target), None)
    if scaled is not None:
        return withheld("the scaler also steps this optimizer, so remove the plain step", scaled.node)
    plain = {
        id(each.node): each.node for each in beside if places.suite_of(places.line_of(each.node) or line) is places.suite_of(line)
    }
    edits = tuple(
        Replace(node, f"{scaler}.step({text(node.func.value)})")
        for node in plain.values()
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and _is_plain_step(node)
    )
    return Fix("Step through the scaler", edits), None


def _feeding(step: Event, scene: Scene) -> list[Event]:
    """The backward passes whose gradients a step uses."""
    return [scene.run.trace.events[place] for place in step.held]


def _scaler_of(backward: Event) -> str | None:
    """The scaler in `scaler.scale(loss).backward()`, as written."""
    func = backward.node.func if isinstance(backward.node, cst.Call) else None
    scaled = func.value if isinstance(func, cst.Attribute) else None
    scale = scaled.func if isinstance(scaled, cst.Call) else None
    return text(scale.value) if isinstance(scale, cst.Attribute) and scale.attr.value == "scale" else None


def _is_plain_step(node: cst.CSTNode) -> bool:
    """Whether a call is `optimizer.step()`."""
    return (
        isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "step" and not node.args
    )


def scale_the_loss(scene: Scene) -> Outcome:
    """Scale the backpropagated loss with the scaler that steps."""
    places, step = scene.script.once(Places), scene.event
    backwards = {id(event.node): event.node for run in scene.runs for event in run.trace.of(What.BACKWARD)}
    if scene.fault.why == MIXED and scene.fault.other is not None:
        backwards, step = {id(step.node): step.node}, scene.fault.other
    if len(backwards) != 1:
        return withheld("several backward passes feed the step", next(reversed(backwards.values()), None))
    every = [event for run in scene.runs for event in run.trace.of(What.STEP) if event.target == step.target]
    plain = next((each for each in every if not each.through), None)
    if plain is not None:
        return withheld("another branch steps without the scaler", plain.node)
    (backward,) = backwards.values()
    if not isinstance(step.node, cst.Call) or not isinstance(step.node.func, cst.Attribute):
        return withheld("the scaler has no name at the backward pass")
    if places.function_of(backward) is not places.function_of(step.node):
        return withheld("the scaler has no name at the backward pass")
    if not isinstance(backward, cst.Call) or not isinstance(backward.func, cst.Attribute) or _gives(backward):
        return withheld("the loss is a named argument of the backward pass")
    scaled = f"{text(step.node.func.value)}.scale({bare(backward.func.value)}).{backward.func.attr.value}"
    return Fix("Scale the loss", (Replace(backward.func, scaled),)), None


def _gives(backward: cst.Call) -> bool:
    """Whether a backward pass has a positional argument."""
    return any(each.keyword is None for each in backward.args)
