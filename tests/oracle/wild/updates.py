"""What closes a window, and how it is shared out: in a function, a method, names for bound methods, a context, callbacks."""

from __future__ import annotations

from .around import before_step
from .code import Draft, Spell, indent
from .divisions import on_gradients

Lines = list[str]


def close(draft: Draft) -> Lines:
    """The update, or the call of what it is in; what it is in is written once, here."""
    plan, here = draft.plan, draft.here
    handed = _handed(draft)
    match plan.update:
        case "function":
            draft.block(f"def apply_update({', '.join(_parameters(draft))}):", *indent(update(draft, Spell("", "every"))))
            return [f"apply_update({', '.join(handed)})"]
        case "partial":
            draft.use("import functools")
            draft.block(f"def apply_update({', '.join(_parameters(draft))}):", *indent(update(draft, Spell("", "every"))))
            draft.once.append(f"finish = functools.partial(apply_update, {', '.join(handed)})")
            return ["finish()"]
        case "nested":
            draft.once += ["def finish():", *indent(update(draft, here)), ""]
            return ["finish()"]
        case "method":
            draft.methods.append(["def apply_update(self):", *indent(update(draft, here))])
            return ["self.apply_update()"]
        case "aliases":
            return _aliased(draft)
        case "context":
            return _in_context(draft)
        case "callbacks":
            return _with_callbacks(draft)
    return update(draft, here)


def update(draft: Draft, s: Spell) -> Lines:
    """All of it, in order."""
    return [*until_step(draft, s), *after_step(draft, s)] or ["pass"]


def until_step(draft: Draft, s: Spell) -> Lines:
    plan = draft.plan
    lines = [f"for p in {s.own('model')}.parameters():", f"    p.grad.div_({_divisor(draft, s)})"] if on_gradients(draft) else []
    if plan.has("GRD206"):
        lines += zero(draft, s)
    if not plan.has("GRD302", "GRD304", "GRD204"):
        lines += unscale(draft, s)
    if not plan.has("GRD301", "GRD303", "GRD204"):
        lines += clip(draft, s)
    lines += [] if plan.has("GRD206") else before_step(draft, s)
    if plan.has("GRD403"):
        lines += schedule(draft, s)
    return lines if plan.has("GRD204") else [*lines, *step(draft, s)]


def after_step(draft: Draft, s: Spell) -> Lines:
    plan = draft.plan
    lines = clip(draft, s) if plan.has("GRD303") else []
    if not plan.has("GRD203", "GRD205", "GRD206"):
        lines += zero(draft, s)
    return [*lines, *_followers(draft, s)]


def _followers(draft: Draft, s: Spell) -> Lines:
    lines = [] if draft.plan.has("GRD401", "GRD403") else schedule(draft, s)
    return lines if draft.plan.has("GRD404") else [*lines, *averaging(draft, s)]


# The parts


def _divisor(draft: Draft, s: Spell) -> str:
    return str(draft.plan.n + 1) if draft.plan.has("GRD103") else s.n


def unscale(draft: Draft, s: Spell) -> Lines:
    """Whoever clips or adds noise unscales first."""
    plan = draft.plan
    wanted = plan.clip != "no" or plan.has("GRD304") or {"norm", "gradients"}.intersection(plan.around)
    if not draft.scales or plan.has("GRD306") or not wanted:
        return []
    lines = [f"{s.own('scaler')}.unscale_({s.own('optimizer')})"]
    return [f"if {s.own('scaler')} is not None:", *indent(lines)] if plan.precision == "option" else lines


_OWN_CLIP = (
    "def limit_gradients(parameters, limit):",
    "    gradients = [p.grad for p in parameters if p.grad is not None]",
    "    norm = sum(gradient.norm() ** 2 for gradient in gradients) ** 0.5",
    "    factor = torch.clamp(limit / (norm + 1e-6), max=1.0)",
    "    for gradient in gradients:",
    "        gradient.mul_(factor)",
    "    return norm",
)


def clip(draft: Draft, s: Spell) -> Lines:
    lines, limit = _clip(draft, s), s.own("max_norm")
    test = {"if positive": f"if {limit} > 0:", "if given": f"if {limit} is not None:"}.get(draft.plan.clipping, "")
    return [test, *indent(lines)] if lines and test else lines


def _clip(draft: Draft, s: Spell) -> Lines:
    parameters = f"{s.own('model')}.parameters()"
    limit = "0.05" if draft.plan.clipping == "always" else s.own("max_norm")
    match draft.plan.clip:
        case "norm":
            kept = "total_norm = " if "norm" in draft.plan.around else ""
            return [f"{kept}torch.nn.utils.clip_grad_norm_({parameters}, {limit})"]
        case "value":
            return [f"nn.utils.clip_grad_value_({parameters}, {'0.01' if limit == '0.05' else limit})"]
        case "own":
            draft.block(*_OWN_CLIP)
            return [f"limit_gradients({parameters}, {limit})"]
    return []


def step(draft: Draft, s: Spell) -> Lines:
    plan, optimizer, scaler = draft.plan, s.own("optimizer"), s.own("scaler")
    if not draft.scales:
        return [f"{optimizer}.step()"]
    if plan.precision == "option":
        return [
            f"if {scaler} is not None:", f"    {scaler}.step({optimizer})", f"    {scaler}.update()", "else:", f"    {optimizer}.step()",
        ]  # fmt: skip
    updated = [] if plan.has("GRD305", "GRD307") else [f"{scaler}.update()"]
    if plan.has("GRD306") and plan.slip == "first":
        return [f"{optimizer}.step()", *updated]
    asked = [f"scale_before = {scaler}.get_scale()"] if plan.advance == "if stepped" else []
    return [*asked, f"{scaler}.step({optimizer})", *updated]


def zero(draft: Draft, s: Spell) -> Lines:
    match draft.plan.zero:
        case "model":
            return [f"{s.own('model')}.zero_grad()"]
        case "hand":
            return [f"for p in {s.own('model')}.parameters():", "    p.grad = None"]
        case "to none":
            return [f"{s.own('optimizer')}.zero_grad(set_to_none=True)"]
    return [f"{s.own('optimizer')}.zero_grad()"]


def schedule(draft: Draft, s: Spell) -> Lines:
    scheduler = s.own("scheduler")
    lines = [f"{scheduler}.step()"] if draft.plan.scheduler != "no" else []
    if draft.plan.advance == "if stepped":
        return [f"if {s.own('scaler')}.get_scale() >= scale_before:", *indent(lines)]
    return [f"if {scheduler} is not None:", *indent(lines)] if lines and draft.plan.scheduling == "if given" else lines


def averaging(draft: Draft, s: Spell) -> Lines:
    match draft.plan.ema:
        case "averaged":
            return [f"{s.own('average')}.update_parameters({s.own('model')})"]
        case "own":
            return [f"{s.own('average')}.update({s.own('model')})"]
    return []


# How it is shared out


def _names(draft: Draft) -> list[str]:
    """What an update works on."""
    plan = draft.plan
    names = ["model", "optimizer"]
    names += ["scheduler"] if plan.scheduler != "no" else []
    names += ["scaler"] if draft.scales else []
    names += ["max_norm"] if plan.clipping != "always" else []
    names += ["average"] if plan.ema != "no" else []
    return names


def _parameters(draft: Draft) -> list[str]:
    return [*_names(draft), *(["every"] if on_gradients(draft) else [])]


def _handed(draft: Draft) -> list[str]:
    return [*(draft.own(name) for name in _names(draft)), *([draft.n] if on_gradients(draft) else [])]


def _aliased(draft: Draft) -> Lines:
    """Names for bound methods, which are made before all loops."""
    optimizer, scaler = draft.own("optimizer"), draft.own("scaler")
    lines = update(draft, draft.here)
    for name, method in (
        ("take_step", f"{optimizer}.step"), ("clear", f"{optimizer}.zero_grad"), ("advance", f"{draft.own('scheduler')}.step"),
        ("scaled_step", f"{scaler}.step"), ("rescale", f"{scaler}.update"), ("unscale", f"{scaler}.unscale_"),
    ):  # fmt: skip
        if any(line.startswith(f"{method}(") for line in lines):
            draft.once.append(f"{name} = {method}")
            lines = [f"{name}{line.removeprefix(method)}" if line.startswith(f"{method}(") else line for line in lines]
    return lines


def _in_context(draft: Draft) -> Lines:
    """A context that steps and zeroes when it is left."""
    bare, here = Spell("", "every"), draft.here
    draft.use("from contextlib import contextmanager")
    scaled = ", scaler" if draft.scales else ""
    inside = ["yield", *step(draft, bare), *zero(draft, bare)]
    draft.block("@contextmanager", f"def closing_window(optimizer{scaled}):", *indent(inside))
    lines = until_step(draft, here)[: -len(step(draft, here))] or ["pass"]
    given = f"{here.own('optimizer')}{', ' + here.own('scaler') if draft.scales else ''}"
    return [f"with closing_window({given}):", *indent(lines), *_followers(draft, here)]


def _with_callbacks(draft: Draft) -> Lines:
    """What follows the step is told to callbacks."""
    bare, here = Spell("self.", "0"), draft.here
    classes = []
    if (lines := schedule(draft, bare)) and not draft.plan.has("GRD401", "GRD403"):
        draft.block(
            "class Schedule:", "    def __init__(self, scheduler):", "        self.scheduler = scheduler", "",
            "    def on_update(self):", *indent(lines, 2),
        )  # fmt: skip
        classes.append(f"Schedule({here.own('scheduler')})")
    if (lines := averaging(draft, bare)) and not draft.plan.has("GRD404"):
        draft.block(
            "class Averaging:", "    def __init__(self, average, model):", "        self.average = average",
            "        self.model = model", "", "    def on_update(self):", *indent(lines, 2),
        )  # fmt: skip
        classes.append(f"Averaging({here.own('average')}, {here.own('model')})")
    followers = _followers(draft, here)
    lines = [line for line in update(draft, here) if line not in followers] or ["pass"]
    if not classes:
        return lines
    draft.once.append(f"callbacks = [{', '.join(classes)}]")
    return [*lines, "for callback in callbacks:", "    callback.on_update()"]
