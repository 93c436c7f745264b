"""The loops of a program, put together from what the other writers give."""

from __future__ import annotations

from . import around, boundaries, divisions, losses, parts, reports, updates
from .code import Draft, indent
from .feeds import walked
from .walks import walk
from .windows import windows

Lines = list[str]


def training(draft: Draft) -> Lines:
    """All of it, from what is made before the passes to the last of them."""
    close = updates.close(draft)
    divisions.prepare(draft)
    once = [*draft.once, *around.prepare(draft), *reports.prepare(draft)]
    draft.once = []
    if draft.plan.counted:
        before_all, one_pass = _counted(draft, close)
    elif draft.plan.walk == "losses":
        before_all, one_pass = [], _listed_losses(draft, close)
    else:
        before_all, one_pass = _windowed(draft, close)
    first = updates.zero(draft, draft.here) if draft.plan.cleared else []
    start = [*once, *draft.once, *before_all, *first]
    if not draft.plan.finite:
        return [
            *start,
            *around.begin_pass(draft),
            *reports.before_pass(draft),
            *one_pass,
            *reports.after_pass(draft),
            *around.each_pass(draft),
        ]
    begin = f'{draft.own("checkpoint")}["epoch"], ' if draft.plan.resumed else ""
    opened = [*around.begin_pass(draft), *reports.before_pass(draft)]
    inside = [*opened, *one_pass, *reports.after_pass(draft)]
    inside = parts.one_pass(draft, start, inside) if draft.plan.each_pass == "function" else inside
    inside += around.each_pass(draft)
    if draft.plan.passes == "while":
        epoch = begin.removesuffix(", ") or "0"
        return [*start, f"epoch = {epoch}", *_finally(draft, ["while epoch < EPOCHS:", *indent([*inside, "epoch += 1"])])]
    return [*start, *_finally(draft, [f"for epoch in range({begin}EPOCHS):", *indent(inside)])]


def _finally(draft: Draft, loop: Lines) -> Lines:
    """A loop, with what is said however it ends."""
    return ["try:", *indent(loop), "finally:", '    print("training is over")'] if draft.plan.rescue == "finally" else loop


def _counted(draft: Draft, close: Lines) -> tuple[Lines, Lines]:
    """Micro-batches one by one, with the update under a test."""
    plan = draft.plan
    place = walk(draft)
    guard = boundaries.guard(draft, place, close)
    closing = guard.wrap(around.in_window(draft))
    late = [*_strays_after(draft), *around.each_micro_batch(draft)]
    rest = [*late, *closing] if plan.boundary == "continue" else [*closing, *late]
    moved = around.before_forward(draft, place.count())
    body = [*place.top, *moved, *guard.early, *_micro_batch(draft), *rest, *place.bottom]
    loop = [*place.before, *guard.before, place.header, *indent(body)]
    if plan.tail == "after" and plan.finite and plan.restarts and not plan.has("GRD202"):
        loop += [f"if {guard.leftover}:", *indent(close)]
    return [*place.once, *guard.once], loop


def _windowed(draft: Draft, close: Lines) -> tuple[Lines, Lines]:
    """Windows, and in each a loop over its micro-batches."""
    place = windows(draft)
    body = [
        *place.top,
        *around.before_forward(draft),
        *_micro_batch(draft, place.members),
        *_strays_after(draft),
        *around.each_micro_batch(draft),
    ]
    inside = [*place.opened, place.inner, *indent(body), *close, *around.in_window(draft)]
    return list(place.once), [*place.before, place.outer, *indent(inside)]


def _listed_losses(draft: Draft, close: Lines) -> Lines:
    """Losses are kept in a list, of which the sum has one backward pass."""
    joint = [
        "loss = sum(pending)",
        *divisions.divide(draft, "pending"),
        *divisions.backward(draft, "pending"),
        *close,
        "pending = []",
    ]
    made = [*around.before_forward(draft), *_forward(draft), *reports.after_forward(draft), *around.after_forward(draft)]
    body = [*made, "pending.append(loss)", *around.each_micro_batch(draft)]
    guarded = [f"if len(pending) == {draft.n}:", *indent([*joint, *around.in_window(draft)])]
    return ["pending = []", f"for x, y in {walked(draft)}:", *indent([*body, *guarded]), "if pending:", *indent(joint)]


def _forward(draft: Draft) -> Lines:
    lines = losses.forward(draft)
    return ['with torch.autocast("cpu", enabled=False):', *indent(lines)] if draft.plan.forward == "autocast" else lines


def _micro_batch(draft: Draft, members: str = "") -> Lines:
    """Forward, division, backward; and what bugs do at each micro-batch before the boundary."""
    first = updates.zero(draft, draft.here) if draft.plan.has("GRD203") else []
    lines = [
        *_forward(draft),
        *reports.after_forward(draft),
        *around.after_forward(draft),
        *divisions.divide(draft, members),
        *reports.after_division(draft, members),
        *divisions.backward(draft, members),
    ]
    return [*first, *around.rescued(draft, lines), *_strays_before(draft)]


def _strays_before(draft: Draft) -> Lines:
    plan, here, lines = draft.plan, draft.here, list[str]()
    if plan.has("GRD304"):
        lines += updates.unscale(draft, here)
    if plan.has("GRD301"):
        lines += updates.clip(draft, here)
    if plan.has("GRD204"):
        lines += [*updates.unscale(draft, here), *updates.clip(draft, here), *updates.step(draft, here)]
    return lines


def _strays_after(draft: Draft) -> Lines:
    plan, lines = draft.plan, list[str]()
    if plan.has("GRD305"):
        lines.append(f"{draft.own('scaler')}.update()")
    if plan.has("GRD401"):
        lines += updates.schedule(draft, draft.here)
    if plan.has("GRD404"):
        lines += updates.averaging(draft, draft.here)
    return lines
