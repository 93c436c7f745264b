"""The model: the laboratory's, or one that the script builds from it with a normalisation of its own."""

from __future__ import annotations

from .lines import indent
from .script import GROUPS, WIDTH, Script


def _layers(script: Script, owner: str) -> list[str]:
    """Both layers anew. BatchNorm sees the micro-batch, which without accumulation is the batch."""
    batch = script.has("GRD502") or not script.plan.accumulates
    norm = f"nn.BatchNorm1d({WIDTH})" if batch else f"nn.GroupNorm({GROUPS}, {WIDTH})"
    return [f"{owner}.body = nn.Sequential(nn.Linear(3, {WIDTH}, bias=False), {norm})", f"{owner}.head = nn.Linear({WIDTH}, 2)"]


def own_model(script: Script) -> list[str]:
    """The class or the function that makes the model, with the two empty lines after it."""
    match script.plan.model:
        case "class":
            inside = ["super().__init__()", *_layers(script, "self")]
            return ["class Normed(Net):", "    def __init__(self):", *indent(inside, 2), "", ""]
        case "function":
            return ["def build():", *indent(["net = Net()", *_layers(script, "net"), "return net"]), "", ""]
    return []


def built_model(script: Script) -> list[str]:
    plan = script.plan
    call = {"class": "Normed()", "function": "build()"}.get(plan.model, "Net()")
    line = f"{script.model} = {f'DDP({call})' if plan.engine == 'ddp' else call}"
    return [line, *_layers(script, script.model)] if plan.model == "in place" else [line]
