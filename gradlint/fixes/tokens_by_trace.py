"""The fix for averaging means over unequal numbers of tokens: divide a sum over the window by the tokens in the window."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Enclose, Insert, Replace
from gradlint.finding import Fix
from gradlint.fixes.shared import Outcome, unsafe, withheld
from gradlint.model.syntax.expressions import argument, dotted, keywords, last_name, text, walk
from gradlint.simulate.masking import ALONE
from gradlint.simulate.scene import Scene


def divide_by_tokens(scene: Scene) -> Outcome:
    """Divide the loss by the number of tokens in the window.

    This needs the micro-batches of the window as a list, so that their tokens can be counted before the first backward pass.
    """
    loop, call, division = scene.loop, scene.fault.about, scene.place
    if not isinstance(loop, cst.For) or dotted(loop.iter) is None or len(scene.step.loops) >= len(scene.event.loops):
        return withheld("the micro-batches of a window are not available as a list")
    if scene.fault.why != ALONE:
        return withheld("the loss is more than that mean, or is not always divided by N")
    masked, target = (
        (keywords(call).get("ignore_index"), argument(call, 1, "target")) if isinstance(call, cst.Call) else (None, None)
    )
    names = {each.value for each in walk(loop.target) if isinstance(each, cst.Name)}
    if not isinstance(call, cst.Call) or masked is None or target is None or last_name(call.func) != "cross_entropy":
        return withheld("gradlint cannot count the tokens of a micro-batch here")
    if dotted(target) not in names:
        return withheld("gradlint cannot count the tokens of a micro-batch here")
    if "reduction" in keywords(call) or any(n.value == "num_tokens" for n in walk(loop) if isinstance(n, cst.Name)):
        return withheld("the loss function sets its own reduction")
    divisor = division.right if isinstance(division, cst.BinaryOperation) else getattr(division, "value", None)
    if not isinstance(divisor, cst.BaseExpression):
        return withheld("a call divides the loss")
    count = f"num_tokens = sum(({text(target)} != {text(masked)}).sum() for {text(loop.target)} in {text(loop.iter)})"
    edits = (
        Insert(loop, count),
        Enclose(next(arg for arg in call.args if arg.value is masked), "", ', reduction="sum"'),
        Replace(divisor, "num_tokens"),
    )
    return unsafe(Fix("Divide the sum over the window by its tokens", edits), "you may want each micro-batch to weigh the same")
