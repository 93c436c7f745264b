"""Which micro-batches' gradients processes average."""

from __future__ import annotations

from .lines import arms, indent
from .loss import backward, forward
from .script import Script


def passes(script: Script) -> list[str]:
    """Forward and backward, with what decides whether processes synchronise."""
    plan, model = script.plan, script.model
    both = [*forward(script), *backward(script)]
    if plan.engine != "ddp" or script.has("GRD601") or not plan.accumulates:
        return both
    alone = f"with {model}.no_sync():"
    if script.has("GRD602"):
        return [alone, *indent(both)]
    context = f"with nullcontext() if closes else {model}.no_sync():"
    if script.has("GRD603"):
        return [*forward(script), context, *indent(backward(script))]
    match plan.sync:
        case "attribute":
            return [f"{model}.require_backward_grad_sync = closes", *both]
        case "arms":
            return arms("closes", both, [alone, *indent(both)])
    return [context, *indent(both)]
