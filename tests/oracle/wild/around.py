"""What real files have around an update: who else reads a length, a rate or a norm, keeps the weights, or leaves the loop."""

from __future__ import annotations

from .code import Draft, Spell
from .objects import per_pass

Lines = list[str]


def prepare(draft: Draft) -> Lines:
    """What stands before all passes."""
    plan, lines = draft.plan, []
    if "total" in plan.around:
        lines.append(f'print("batches in all", EPOCHS * {per_pass(draft)})')
    if "bar" in plan.around:
        draft.use("from tqdm import tqdm")
        lines.append(f"bar = tqdm(total=EPOCHS * {per_pass(draft)}, disable=True)")
    if "limit" in plan.around:
        draft.constants.append(f"MAX_UPDATES = {3 if plan.slip == 'late' else None}")
        lines.append("updates = 0")
    if "stop" in plan.around:
        lines += ["best, bad = float('inf'), 0"]
    if "accuracy" in plan.around:
        lines.append("right = 0")
    return lines


def after_forward(draft: Draft) -> Lines:
    if "finite" not in draft.plan.around:
        return []
    return ["if not torch.isfinite(loss):", '    print("a loss that is no number is left out")', "    continue"]


def each_micro_batch(draft: Draft) -> Lines:
    lines = ["bar.update(1)"] if "bar" in draft.plan.around else []
    return [*lines, "right += int((y == y).sum())"] if "accuracy" in draft.plan.around else lines


def before_step(draft: Draft, s: Spell) -> Lines:
    """Between the clip and the step."""
    plan, parameters = draft.plan, f"{s.own('model')}.parameters()"
    lines: Lines = []
    if "norm" in plan.around:
        norm = "total_norm"
        if plan.clip != "norm" or plan.has("GRD301", "GRD303", "GRD204"):
            lines.append(f"total_norm = sum(p.grad.norm() ** 2 for p in {parameters} if p.grad is not None) ** 0.5")
        lines.append(f'print("norm", float({norm}))')
    if "noise" in plan.around:
        lines += [
            f"for p in {parameters}:",
            "    if p.grad is not None:",
            "        p.grad.add_(0.001 * torch.randn_like(p.grad))",
        ]
    return lines


def in_window(draft: Draft) -> Lines:
    """Behind an update, where its window closes."""
    plan, lines = draft.plan, []
    if "rate" in plan.around:
        lines.append(f'print("rate", {draft.own("optimizer")}.param_groups[0]["lr"])')
    if "checkpoint" in plan.around:
        draft.use("import io")
        lines.append(f'torch.save({{"model": {draft.own("model")}.state_dict()}}, io.BytesIO())')
    if "limit" in plan.around:
        lines += ["updates += 1", "if MAX_UPDATES and updates >= MAX_UPDATES:", "    break"]
    return lines


def each_pass(draft: Draft) -> Lines:
    plan, lines = draft.plan, []
    if "saved" in plan.around:
        draft.use("import io")
        lines.append(f"torch.save({draft.own('model')}.state_dict(), io.BytesIO())")
    if "validate" in plan.around or "stop" in plan.around:
        draft.use("import torch.nn.functional as F")
        draft.block(
            "@torch.no_grad()", "def validate(model):", "    total = 0.0", "    for x, y in DataLoader(dataset, batch_size=4):",
            f"        total += {loss_of(draft, 'model')}.item()", "    return total",
        )  # fmt: skip
        lines.append(f"score = validate({draft.own('model')})")
    if "stop" in plan.around:
        lines += ["bad = 0 if score <= best else bad + 1", "best = min(best, score)", "if bad > 3:", "    break"]
    return lines


def loss_of(draft: Draft, model: str) -> str:
    """A loss in one expression, for whoever else computes one."""
    match draft.plan.loss:
        case "model":
            return f"{model}(x, y).loss"
        case "returned dict":
            return f'{model}(x, y)["loss"]'
    return f"F.cross_entropy({model}(x), y)"
