"""What else training scripts do, which is no business of gradient accumulation."""

from __future__ import annotations

from .script import Script


def other_loop(script: Script) -> list[str]:
    """A second training loop, which is never run and does not accumulate."""
    if "other loop" not in script.plan.noise:
        return []
    return [
        "def warm_up(model, loader, optimizer, criterion):",
        "    for step, (x, y) in enumerate(loader):",
        "        optimizer.zero_grad()",
        "        criterion(model(x), y).backward()",
        "        optimizer.step()",
        "        if step % 10 == 0:",
        '            print("step", step)',
        "",
        "",
    ]


def skip_nan(script: Script) -> list[str]:
    if "skip nan" not in script.plan.noise:
        return []
    return [f"if not torch.isfinite({script.words.loss}):", "    continue"]


def in_try(script: Script, lines: list[str]) -> list[str]:
    """The last line with a handler that only tells of what it cannot mend."""
    if "try" not in script.plan.noise or script.plan.amp != "no":
        return lines
    return [*lines[:-1], "try:", f"    {lines[-1]}", "except RuntimeError as error:", '    print("failed", error)', "    raise"]


def grad_norm(script: Script) -> list[str]:
    if "grad norm" not in script.plan.noise:
        return []
    return [f"norm = sum(p.grad.norm() for p in {script.model}.parameters() if p.grad is not None)"]


def each_micro_batch(script: Script) -> list[str]:
    plan, i = script.plan, script.walk.index
    lines: list[str] = []
    if "log" in plan.noise and not plan.windowed:
        lines += [f"if {i} % 10 == 0:", f'    print("step", {i})']
    if "metrics" in plan.noise:
        lines.append("right = (y == y).sum().item()")
    return lines


def each_pass(script: Script) -> list[str]:
    plan = script.plan
    lines: list[str] = []
    if "evaluate" in plan.noise:
        lines += ["with torch.no_grad():", "    for x, y in DataLoader(dataset, batch_size=4):", f"        {script.model}(x)"]
    if "save" in plan.noise:
        lines.append(f"state = {script.model}.state_dict()")
    return lines
