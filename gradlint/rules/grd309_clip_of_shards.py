"""GRD309 clip-of-shards; the page is rules/GRD309.md."""

from __future__ import annotations

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.edits import Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.syntax.expressions import dotted, literal, text
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What

_TAKEN = ("max_norm", "norm_type")
"""The arguments of `FullyShardedDataParallel.clip_grad_norm_`, in order."""


@trace_rule(
    "GRD309",
    "clip-of-shards",
    "The norm of gradients sharded by FullyShardedDataParallel covers only one shard",
    severity=Severity.WARNING,
    promise=changing(What.CLIP),
)
def clip_of_shards(scene: Scene) -> Finding:
    fix, note = _by_the_model(scene.event.node)
    message = f"{brief(scene.place)} takes the norm of one shard"
    reason = (
        "each process measures only its own shard: the norm is too small, and the parts of one gradient are scaled differently"
    )
    return Finding(scene.place, message, reason, (), fix, note)


def _by_the_model(call: cst.CSTNode) -> Outcome:
    """Replace the call with `model.clip_grad_norm_(...)`, which takes the norm over all processes."""
    if not isinstance(call, cst.Call) or any(each.star for each in call.args):
        return withheld("gradlint does not see the arguments")
    if "#" in text(call):
        return withheld("there is a comment inside the call")
    named = [each.keyword.value if each.keyword is not None else "" for each in call.args]
    of = call.args[named.index("parameters") if "parameters" in named else 0].value
    method = of.func if isinstance(of, cst.Call) and not of.args else None
    model = dotted(method.value) if isinstance(method, cst.Attribute) and method.attr.value == "parameters" else None
    if model is None or model.endswith((".module", "._orig_mod")):
        return withheld("the wrapped model has no name at this call")
    given: list[str] = []
    for name, arg in zip(named, call.args, strict=True):
        if arg.value is of:
            continue
        if not name and len(given) < len(_TAKEN) and call.args[0].value is of:
            given.append(text(arg.value))
        elif name in _TAKEN:
            given.append(f"{name}={text(arg.value)}")
        elif name != "foreach" and not (name == "error_if_nonfinite" and literal(arg.value) is False):
            return withheld("`model.clip_grad_norm_` does not take these arguments")
    return Fix("Clip through the wrapped model", (Replace(call, f"{model}.clip_grad_norm_({', '.join(given)})"),)), None
