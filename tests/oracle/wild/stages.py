"""A second loop in the file: one that does not accumulate and may share helpers, or one that accumulates as well."""

from __future__ import annotations

from .around import loss_of
from .code import Draft, indent


def before(draft: Draft) -> list[str]:
    """A warm-up before training, in a function of its own."""
    plan = draft.plan
    if plan.stage not in ("warm-up", "shared"):
        return []
    loss = loss_of(draft, "model")
    if plan.stage == "shared":
        loss = "compute_loss(model, x, y, 0.1)" if plan.optional else "compute_loss(model, x, y)"
    else:
        draft.use("import torch.nn.functional as F")
    shares = plan.stage == "shared" and _shares_update(draft)
    close = ["apply_update(model, optimizer)"] if shares else ["optimizer.step()", "optimizer.zero_grad()"]
    draft.blocks.append(
        [
            "def warm_up(model, loader, optimizer):",
            *indent(["for step, (x, y) in enumerate(loader):", *indent([f"loss = {loss}", "loss.backward()", *close])]),
        ]
    )
    return ["warm_up(model, DataLoader(dataset, batch_size=2), torch.optim.SGD(model.parameters(), lr=0.1))"]


def _shares_update(draft: Draft) -> bool:
    plan = draft.plan
    plain = (
        not draft.scales
        and plan.clipping == "always"
        and plan.scheduler == "no"
        and plan.ema == "no"
        and plan.division != "gradients"
    )
    return plan.update in ("function", "partial") and plain and not plan.bugs


def after(draft: Draft) -> list[str]:
    """A second training, which accumulates rightly, in the same function."""
    plan = draft.plan
    if plan.stage != "second":
        return []
    draft.use("import torch.nn.functional as F")
    model, n = draft.own("model"), draft.n
    body = [
        f"({loss_of(draft, model)} / {n}).backward()",
        f"if (k + 1) % {n} == 0 or k + 1 == len(second_loader):",
        "    second.step()",
        "    second.zero_grad()",
    ]
    return [
        f"second = torch.optim.SGD({model}.parameters(), lr=0.01)",
        "second_loader = DataLoader(dataset, batch_size=2)",
        "second.zero_grad()",
        "for k, (x, y) in enumerate(second_loader):",
        *indent(body),
    ]
