"""The division of a loss by N, and its backward pass."""

from __future__ import annotations

from .code import Draft

_STATEMENTS = {
    "assign": "loss = loss / {by}",
    "augment": "loss /= {by}",
    "method": "loss = loss.div({by})",
    "factor": "loss = loss * share",
    "conditional": "loss = loss / {by} if {by} > 1 else loss",
    "lambda": "loss = shared(loss)",
    "helper": "loss = divided(loss, {by})",
    "renamed": "scaled_loss = loss / {by}",
    "torch": "loss = torch.true_divide(loss, {by})",
    "size": "loss = loss / {by}",
    "negative power": "loss = loss * {by} ** -1",
    "if more": "if {by} > 1:\n    loss = loss / {by}",
}
"""The divisions that are statements between forward and backward."""


def divisor(draft: Draft, members: str) -> str:
    """What a loss is divided by: N, the size of a window, or with the bug another number."""
    if draft.plan.has("GRD103"):
        return str(draft.plan.n + 1)
    return f"len({members})" if draft.plan.division == "size" else draft.n


def prepare(draft: Draft) -> None:
    """What the division and the backward pass need before all loops."""
    plan, by = draft.plan, divisor(draft, "")
    if divides(draft):
        if plan.division == "factor":
            draft.once.append(f"share = 1.0 / {by}")
        elif plan.division == "lambda":
            draft.once.append(f"shared = lambda value: value / {by}")
        elif plan.division == "helper":
            draft.block("def divided(value, parts):", "    return value / parts")
    if plan.backward == "helper":
        if plan.amp:
            draft.block("def back(loss, scaler):", "    scaler.scale(loss).backward()")
        else:
            draft.block("def back(loss):", "    loss.backward()")
    elif plan.backward == "alias" and plan.amp and not _bypassed(draft):
        draft.once.append(f"scale = {draft.own('scaler')}.scale")


def divides(draft: Draft) -> bool:
    """Whether the whole loss is divided where it is made."""
    return not draft.plan.has("GRD101", "GRD104")


def on_gradients(draft: Draft) -> bool:
    """Whether the gradients are divided in its place, before the step."""
    return draft.plan.division == "gradients" and divides(draft)


def told_back(draft: Draft) -> bool:
    """Whether `loss` is N times too small once it was divided."""
    return divides(draft) and draft.plan.division not in ("inline", "gradient", "gradients", "renamed", "size")


def divide(draft: Draft, members: str = "") -> list[str]:
    """The statement that divides the loss, where one does."""
    plan = draft.plan
    if not divides(draft) or plan.division not in _STATEMENTS:
        return []
    return _STATEMENTS[plan.division].format(by=divisor(draft, members)).split("\n")


def backward(draft: Draft, members: str = "") -> list[str]:
    plan, by = draft.plan, divisor(draft, members)
    name = "scaled_loss" if plan.division == "renamed" and divides(draft) else "loss"
    expression = f"{name} / {by}" if plan.division == "inline" and divides(draft) else name
    gradient = f"torch.tensor(1 / {by})" if plan.division == "gradient" and divides(draft) else ""
    if plan.has("GRD102"):
        if plan.division == "inline":
            return ["loss = loss / " + by, *_call(draft, expression, gradient)]
        expression = f"{name} / {by}"
    return _call(draft, expression, gradient)


def _bypassed(draft: Draft) -> bool:
    """Whether the backward pass goes past the scaler, and the step does not."""
    return draft.plan.has("GRD306") and draft.plan.slip == "late"


def _call(draft: Draft, expression: str, gradient: str) -> list[str]:
    plan, scaler = draft.plan, draft.own("scaler")
    closed = f"({expression})" if " " in expression else expression
    if not draft.scales or _bypassed(draft):
        if plan.backward == "helper" and not plan.amp:
            return [f"back({expression})"]
        if plan.backward == "alias" and not gradient:
            return [f"torch.autograd.backward({expression})"]
        if plan.engines == "arms":
            accelerator = draft.own("accelerator")
            engine = f"    {accelerator}.backward({expression})"
            return [f"if {accelerator} is not None:", engine, "else:", f"    {closed}.backward({gradient})"]
        return [f"{closed}.backward({gradient})"]
    if plan.backward == "helper":
        return [f"back({expression}, {scaler})"]
    if plan.precision == "option":
        scaled = f"    {scaler}.scale({expression}).backward({gradient})"
        return [f"if {scaler} is not None:", scaled, "else:", f"    {closed}.backward({gradient})"]
    scale = "scale" if plan.backward == "alias" else f"{scaler}.scale"
    return [f"{scale}({expression}).backward({gradient})"]
