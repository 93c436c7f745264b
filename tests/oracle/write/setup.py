"""What is built before training: model, optimizers, schedule, scaler, average, engine."""

from __future__ import annotations

from .model import built_model
from .script import Script


def setup(script: Script) -> list[str]:
    plan = script.plan
    lines = _steps(script)
    lines += built_model(script)
    if plan.loss in ("criterion", "twice"):
        lines.append(f"{script.criterion} = nn.CrossEntropyLoss({script.ignored})")
    lines += _optimizers(script)
    lines.append(f"{script.loader} = DataLoader(dataset, batch_size=2)")
    lines += _schedule(script)
    if plan.amp != "no":
        enabled = ", enabled=args.amp" if plan.amp == "enabled" else ""
        lines.append(f'{script.scaler} = torch.amp.GradScaler("cpu"{enabled})')
    match plan.ema:
        case "averaged":
            lines.append(f"{script.average} = AveragedModel({script.model}, multi_avg_fn=get_ema_multi_avg_fn(0.8))")
        case "own":
            lines.append(f"{script.average} = ExponentialMovingAverage({script.model})")
    return [*lines, *_accelerator(script)]


def _steps(script: Script) -> list[str]:
    """The accumulation steps, where they are a variable of their own."""
    plan, word = script.plan, script.words.steps
    value = {"local": f"args.{word}", "ratio": "BATCH_SIZE // MICRO_BATCH_SIZE", "parameter": str(plan.n)}.get(plan.steps_as)
    return [f"{script.own(word)} = {value}"] if value else []


_OPTIMIZERS = {
    "SGD": "SGD({}, lr=0.1)",
    "momentum": "SGD({}, lr=0.1, momentum=0.9)",
    "AdamW": "AdamW({}, lr=0.01, weight_decay=0.1)",
    "Adam": "Adam({}, lr=0.01)",
}


def _optimizers(script: Script) -> list[str]:
    kind = "Adam({}, lr=0.01, weight_decay=0.1)" if script.has("GRD501") else _OPTIMIZERS[script.plan.optimizer]
    parts = [script.model] if script.plan.optimizers == 1 else [f"{script.model}.body", f"{script.model}.head"]
    built = [kind.format(f"{part}.parameters()") for part in parts]
    return [f"{name} = torch.optim.{each}" for name, each in zip(script.optimizers, built, strict=True)]


_SCHEDULES = {
    "step": "StepLR({first}, step_size=1, gamma=0.7)",
    "epoch": "StepLR({first}, step_size=1, gamma=0.7)",
    "lambda": "LambdaLR({first}, lambda step: 0.9 ** step)",
    "cosine": "CosineAnnealingLR({first}, T_max={length})",
    "onecycle": "OneCycleLR({first}, max_lr=0.1, total_steps={length})",
    "linear": "LinearLR({first}, start_factor=1.0, end_factor=0.1, total_iters={length})",
}


def _schedule(script: Script) -> list[str]:
    plan = script.plan
    if plan.scheduler == "no":
        return []
    length, lines = _length(script), []
    if plan.length == "variable":
        lines, length = [f"updates = {length}"], "updates"
    built = _SCHEDULES[plan.scheduler].format(first=script.optimizers[0], length=length)
    return [*lines, f"{script.scheduler} = torch.optim.lr_scheduler.{built}"]


def _length(script: Script) -> str:
    """The updates of the whole training, for which the schedule is built."""
    plan = script.plan
    if plan.length == "literal":
        return "101"
    batches = f"len({script.loader})"
    if script.has("GRD402") or not plan.accumulates:
        return f"EPOCHS * {batches}"
    match plan.length:
        case "ceil":
            return f"EPOCHS * math.ceil({batches} / {script.n})"
        case "floor":
            return f"{batches} // {script.n} * EPOCHS"
    return f"EPOCHS * {batches} // {script.n}"


def _accelerator(script: Script) -> list[str]:
    plan = script.plan
    if plan.engine not in ("accumulate", "prepared"):
        return []
    given = f", gradient_accumulation_steps={script.n}" if script.engine_divides and not script.has("GRD101") else ""
    whole = [script.model, *script.optimizers, script.loader]
    if plan.scheduler != "no" and plan.engine == "accumulate":
        whole.append(script.scheduler)
    names = ", ".join(whole)
    return [f"{script.accelerator} = Accelerator(cpu=True{given})", f"{names} = {script.accelerator}.prepare({names})"]
