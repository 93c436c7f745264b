"""What a program tells of its loss: always the whole one, whatever it is divided by."""

from __future__ import annotations

from . import divisions
from .code import Draft
from .objects import per_pass

_METER = (
    "class Meter:", "    def __init__(self):", "        self.total, self.count = 0.0, 0", "",
    "    def update(self, value, count=1):", "        self.total += value * count", "        self.count += count", "",
    "    @property", "    def mean(self):", "        return self.total / max(self.count, 1)",
)  # fmt: skip


def prepare(draft: Draft) -> list[str]:
    """What a report needs before all passes."""
    match draft.plan.report:
        case "writer":
            draft.use("from toy import SummaryWriter")
            return ["writer = SummaryWriter()"]
        case "logger":
            draft.use("import logging")
            draft.constants.append('logger = logging.getLogger("training")')
    return []


def before_pass(draft: Draft) -> list[str]:
    lines = ["running = 0.0"] if "mean" in draft.plan.around else []
    match draft.plan.report:
        case "history":
            lines.append("history = []")
        case "meter":
            draft.block(*_METER)
            lines.append("meter = Meter()")
    return lines


def after_forward(draft: Draft) -> list[str]:
    """Of the loss that is not divided yet."""
    lines = ["running += loss.item()"] if "mean" in draft.plan.around else []
    lines += ["lately += loss.item()"] if "logged" in draft.plan.around else []
    match draft.plan.report:
        case "print":
            lines.append('print("loss", loss.item())')
        case "f-string":
            lines.append('print(f"loss {loss.item():.6f}")')
        case "writer":
            lines.append('writer.add_scalar("loss", loss.item())')
        case "logger":
            lines.append('logger.info("loss %.6f", loss.item())')
        case "history":
            lines.append("history.append(loss.item())")
        case "meter":
            lines.append("meter.update(loss.item(), len(y))")
        case "told back" if not divisions.told_back(draft):
            lines.append('print("loss", float(loss))')
    return lines


def after_division(draft: Draft, members: str = "") -> list[str]:
    """Of the loss that was divided, told N times larger."""
    if draft.plan.report != "told back" or not divisions.told_back(draft):
        return []
    return [f'print("loss", loss.item() * {divisions.divisor(draft, members)})']


def after_pass(draft: Draft) -> list[str]:
    lines = [f'print("mean", running / {per_pass(draft)})'] if "mean" in draft.plan.around else []
    match draft.plan.report:
        case "history":
            lines.append('print("mean loss", sum(history) / max(len(history), 1))')
        case "meter":
            lines.append('print("mean loss", meter.mean)')
    return lines
