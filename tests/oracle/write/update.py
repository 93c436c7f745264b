"""What closes a window: unscale, clip, step, zero, schedule, average."""

from __future__ import annotations

from collections.abc import Callable

from .lines import arms, indent
from .noise import grad_norm
from .script import Script


def call(script: Script) -> list[str]:
    """The update where a window closes: itself, or the call of the helper that it is in."""
    plan = script.plan
    again = [f"{script.walk.index} = 0"] if plan.resets else []
    if script.updates_in_method and plan.guard != "split":
        return ["self.apply_update()", *again]
    if plan.shape == "helpers" and plan.guard != "split":
        return [f"apply_update({', '.join(script.given)})", *again]
    return [*update(script), *again]


def update(script: Script) -> list[str]:
    return [*until_step(script), *after_step(script)] or ["pass"]


def until_step(script: Script) -> list[str]:
    """The update up to the optimizer's step."""
    plan = script.plan
    moved = script.has("GRD204")
    lines = [*_rescaled(script), *grad_norm(script)]
    if script.has("GRD206"):
        lines += zero(script)
    if not script.has("GRD302", "GRD304") and not moved and not (script.has("GRD301") and plan.unscale):
        lines += unscale(script)
    if not script.has("GRD301", "GRD303") and not moved:
        lines += clip(script)
    if script.has("GRD403"):
        lines += schedule(script)
    return lines if moved else [*lines, *step(script)]


def after_step(script: Script) -> list[str]:
    plan = script.plan
    lines = clip(script) if script.has("GRD303") else []
    if not script.has("GRD203", "GRD205", "GRD206") and plan.zero != "before forward" and plan.accumulates:
        lines += zero(script)
    if plan.scheduler != "epoch" and not script.has("GRD401", "GRD403"):
        lines += schedule(script)
    if not script.has("GRD404"):
        lines += averaging(script)
    return lines


def _rescaled(script: Script) -> list[str]:
    """The division by N, where it is of the gradients."""
    if script.plan.division != "rescale" or not script.divides:
        return []
    divide = f"p.grad.div_({script.n})" if script.plan.spelling % 2 else f"p.grad /= {script.n}"
    return [f"for p in {script.model}.parameters():", f"    {divide}"]


def unscale(script: Script) -> list[str]:
    if not script.plan.unscale or script.has("GRD306"):
        return []
    lines = _each_optimizer(script, lambda name: f"{script.scaler}.unscale_({name})")
    return [f"if {script.amp}:", *indent(lines)] if script.plan.amp == "arms" else lines


def clip(script: Script) -> list[str]:
    match script.plan.clip:
        case "norm":
            return [f"torch.nn.utils.clip_grad_norm_({script.model}.parameters(), 0.05)"]
        case "value":
            return [f"nn.utils.clip_grad_value_({script.model}.parameters(), 0.01)"]
    return []


def step(script: Script) -> list[str]:
    plan = script.plan
    plain = _each_optimizer(script, lambda name: f"{name}.step()")
    if plan.amp == "no":
        return plain
    if script.has("GRD306") and plan.spelling % 2 == 1:
        return [*plain, *scaler_update(script)]
    scaled = _each_optimizer(script, lambda name: f"{script.scaler}.step({name})")
    scaled += [] if script.has("GRD305", "GRD307") else [f"{script.scaler}.update()"]
    return arms(script.amp, scaled, plain) if plan.amp == "arms" else scaled


def scaler_update(script: Script) -> list[str]:
    line = f"{script.scaler}.update()"
    return [f"if {script.amp}:", f"    {line}"] if script.plan.amp == "arms" else [line]


def zero(script: Script) -> list[str]:
    match script.plan.zero:
        case "model":
            return [f"{script.model}.zero_grad()"]
        case "by hand":
            return [f"for p in {script.model}.parameters():", "    p.grad = None"]
        case "to none":
            return _each_optimizer(script, lambda name: f"{name}.zero_grad(set_to_none=True)")
    return _each_optimizer(script, lambda name: f"{name}.zero_grad()")


def schedule(script: Script) -> list[str]:
    return [] if script.plan.scheduler in ("no", "epoch") else [f"{script.scheduler}.step()"]


def averaging(script: Script) -> list[str]:
    match script.plan.ema:
        case "averaged":
            return [f"{script.average}.update_parameters({script.model})"]
        case "own":
            return [f"{script.average}.update({script.model if script.plan.spelling % 2 else ''})"]
    return []


def _each_optimizer(script: Script, line: Callable[[str], str]) -> list[str]:
    if script.plan.optimizers == 2 and script.plan.together:
        return [f"for each in ({', '.join(script.optimizers)}):", f"    {line('each')}"]
    return [line(name) for name in script.optimizers]
