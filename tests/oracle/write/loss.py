"""The forward pass and the loss, its division by N, and the backward pass."""

from __future__ import annotations

from .lines import arms, indent
from .noise import in_try, skip_nan
from .script import COEFFICIENT, Script

SECOND_TERM = f"{COEFFICIENT} * F.l1_loss(logits, torch.zeros_like(logits))"

_DIVISIONS = {
    "assign": ("{loss} = {loss} / {by}",),
    "augment": ("{loss} /= {by}",),
    "inverse": ("{loss} = {loss} * (1 / {by})",),
    "method": ("{loss} = {loss}.div({by})",),
    "if more": ("if {by} > 1:", "    {loss} = {loss} / {by}"),
    "helper": ("{loss} = shared({loss}, {by})",),
    "torch": ("{loss} = torch.div({loss}, {by})",),
    "hoisted": ("{loss} = {loss} * weight",),
}
"""The divisions that are statements between forward and backward."""


def hoisted(script: Script) -> list[str]:
    """1 / N, where it is computed once before all loops."""
    plan = script.plan
    once = plan.division == "hoisted" and plan.accumulates and plan.engine != "prepared"
    return [f"weight = 1.0 / {script.n}"] if once else []


def forward(script: Script) -> list[str]:
    """Up to the loss, and what is told of it before it is divided by a statement of its own."""
    plan, loss = script.plan, script.words.loss
    divided = script.divides and plan.division == "criterion"
    lines = _evaluation(script, f" / {script.divisor}" if divided else "")
    if plan.autocast:
        lines = ['with torch.autocast("cpu", enabled=False):', *indent(lines)]
    lines += skip_nan(script)
    whole = f" * {script.divisor}" if divided else ""
    if plan.log == "sum":
        lines.append(f"running += {loss}.item(){whole}")
    if plan.log == "true" and not script.has("GRD104", "GRD106"):
        lines.append(f'print("loss", {loss}.item(){whole})')
    return lines


def _evaluation(script: Script, division: str) -> list[str]:
    """The model and the criterion; `division` stands behind the loss where it is divided at once."""
    plan, loss = script.plan, script.words.loss
    logits = f"logits = {script.model}(x)"
    value = f"{script.criterion}({script.logits}, y)" if plan.loss in ("criterion", "twice") else script.cross_entropy
    if plan.loss == "twice":
        return [logits, f"{loss} = {value}", f"extra = {SECOND_TERM}"]
    if script.has("GRD104"):
        return [logits, f"{loss} = {value} / {script.n} + {SECOND_TERM}"]
    if plan.loss == "helper":
        return [f"{loss} = compute_loss({script.model}, x, y){division}"]
    if plan.aux:
        both = f"{value} + {SECOND_TERM}"
        return [logits, f"{loss} = ({both}){division}" if division else f"{loss} = {both}"]
    return [logits, f"{loss} = {value}{division}"]


def backward(script: Script) -> list[str]:
    """The division of the loss, and its backward pass; two backward passes where there are two losses."""
    plan, loss = script.plan, script.words.loss
    losses = [loss, "extra"] if plan.loss == "twice" else [loss]
    kind = _kind(script)
    lines = [line.format(loss=name, by=script.divisor) for name in losses for line in _DIVISIONS.get(kind, ())]
    expressions = [f"({name} / {script.divisor})" for name in losses] if kind == "inline" else losses
    if script.divides and script.has("GRD102") and not script.engine_divides:
        if kind == "inline":
            lines += [f"{name} = {name} / {script.divisor}" for name in losses]
        else:
            expressions = [f"({name} / {script.divisor})" for name in losses]
    if script.has("GRD106"):
        lines.append(f'print("loss", {loss}.item())')
    gradient = [f"torch.tensor(1 / {script.divisor})"] if kind == "gradient" else []
    for expression in expressions:
        retained = ["retain_graph=True"] if expression is not expressions[-1] else []
        lines += _call(script, expression, ", ".join([*gradient, *retained]))
    return in_try(script, lines)


def _kind(script: Script) -> str:
    """How this script divides here, if it does: two losses have no one expression to divide in, and Accelerate divides by what
    it was told."""
    plan = script.plan
    if not script.divides:
        return "none"
    if plan.division == "criterion" and plan.loss == "twice":
        return "assign"
    if plan.division == "hoisted" and plan.engine == "prepared":
        return "assign"
    return plan.division


def _call(script: Script, expression: str, arguments: str) -> list[str]:
    plan = script.plan
    plain = f"{expression}.backward({arguments})"
    bare = expression[1:-1] if expression.startswith("(") else expression
    if plan.engine in ("prepared", "accumulate"):
        return [f"{script.accelerator}.backward({', '.join(filter(None, (bare, arguments)))})"]
    if plan.amp == "no" or (script.has("GRD306") and plan.spelling % 2 == 0):
        return [plain]
    scaled = f"{script.scaler}.scale({bare}).backward({arguments})"
    return arms(script.amp, [scaled], [plain]) if plan.amp == "arms" else [scaled]
