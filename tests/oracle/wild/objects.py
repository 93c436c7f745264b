"""What is built before training: model, optimizer, data, schedule, scaler, average."""

from __future__ import annotations

from .code import Draft
from .feeds import built
from .plan import Wild

_OPTIMIZERS = {
    "SGD": "torch.optim.SGD(model.parameters(), lr=0.1)",
    "momentum": "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)",
    "AdamW": "torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)",
}

_SCHEDULES = {
    "step": "StepLR(optimizer, step_size=1, gamma=0.7)",
    "lambda": "LambdaLR(optimizer, lambda step: 0.9**step)",
    "cosine": "CosineAnnealingLR(optimizer, T_max={length})",
    "onecycle": "OneCycleLR(optimizer, max_lr=0.1, total_steps={length})",
}


def build(draft: Draft) -> None:
    plan = draft.plan
    draft.constants.append("EPOCHS = 2")
    _model(draft)
    if plan.loss in ("criterion", "dict", "list"):
        draft.make("criterion", "nn.CrossEntropyLoss()")
    if plan.optional:
        draft.make("extra_weight", "0.1")
    draft.make("optimizer", _OPTIMIZERS[plan.optimizer])
    _data(draft)
    _schedule(draft)
    scaler = 'torch.amp.GradScaler("cpu", init_scale=1024.0)'
    if plan.precision == "option":
        draft.constants.append(f"USE_AMP = {plan.amp}")
        scaler += " if USE_AMP else None"
    if draft.scales:
        draft.make("scaler", scaler)
    if plan.engines == "arms":
        draft.use("from accelerate import Accelerator")
        draft.constants.append("ACCELERATE = False")
        draft.make("accelerator", "Accelerator(cpu=True) if ACCELERATE else None")
    if plan.clipping != "always":
        draft.make("max_norm", "0.05")
    if "device" in plan.around:
        draft.make("device", 'torch.device("cpu")')
    if "skipped" in plan.around:
        draft.make("done_already", f"{plan.n if plan.slip == 'late' else 0}")
    if plan.ema == "averaged":
        draft.use("from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn")
        draft.make("average", "AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8))")
    elif plan.ema == "own":
        draft.use("from toy import ExponentialMovingAverage")
        draft.make("average", "ExponentialMovingAverage(model)")
    if plan.resumed:
        draft.make("checkpoint", f'{{"epoch": 0, "step": {2 * plan.n}}}')


def _model(draft: Draft) -> None:
    draft.use("import torch", "from torch import nn", "from toy import Net, dataset")
    if draft.plan.loss not in ("model", "returned dict"):
        draft.make("model", "Net()")
        return
    draft.use("import torch.nn.functional as F")
    extra = ["        extra = 0.1 * F.l1_loss(logits, torch.zeros_like(logits))"] if draft.plan.terms == 2 else []
    if draft.plan.loss == "model":
        draft.use("from types import SimpleNamespace")
        more = ", extra=extra" if extra else ""
        result = f"        return SimpleNamespace(loss=loss, logits=logits{more})"
    else:
        more = ', "extra": extra' if extra else ""
        result = f'        return {{"loss": loss, "logits": logits{more}}}'
    draft.block(
        "class WithLoss(nn.Module):", "    def __init__(self, net):", "        super().__init__()", "        self.net = net", "",
        "    def forward(self, inputs, labels):", "        logits = self.net(inputs)",
        "        loss = F.cross_entropy(logits, labels)", *extra, result,
    )  # fmt: skip
    draft.make("model", "WithLoss(Net())")


def _data(draft: Draft) -> None:
    plan = draft.plan
    draft.use("from torch.utils.data import DataLoader")
    size = f"2 * {draft.there.n}" if plan.walk == "chunks" else "2"
    if plan.data == "stream":
        draft.use("from torch.utils.data import IterableDataset")
        draft.block(
            "class Stream(IterableDataset):", "    def __iter__(self):", "        for k in range(len(dataset)):",
            "            yield dataset[k]",
        )  # fmt: skip
    loader = f"DataLoader({'Stream()' if plan.data == 'stream' else 'dataset'}, batch_size={size})"
    draft.make("loader", built(draft, loader))


def _schedule(draft: Draft) -> None:
    plan = draft.plan
    if reads_per_pass(plan):
        draft.make("per_pass", "len(loader)")
    if plan.scheduler == "no":
        return
    length = _updates(draft) if plan.scheduler in ("cosine", "onecycle") else ""
    if plan.length == "named":
        draft.setup.append(f"total_updates = {length}")
        length = "total_updates"
    draft.make("scheduler", f"torch.optim.lr_scheduler.{_SCHEDULES[plan.scheduler].format(length=length)}")


def reads_per_pass(plan: Wild) -> bool:
    """Whether one name holds the micro-batches of a pass, for the schedule and for whoever else asks."""
    return plan.length == "shared" and plan.measured and plan.finite


def per_pass(draft: Draft) -> str:
    """The batches of a pass, as training asks for them."""
    return draft.own("per_pass") if reads_per_pass(draft.plan) else f"len({draft.own('loader')})"


def _updates(draft: Draft) -> str:
    """The updates of the whole training."""
    plan, n = draft.plan, draft.there.n
    if not plan.measured or not plan.finite:
        return "101"
    batches = "per_pass" if reads_per_pass(plan) else "len(loader)"
    if plan.has("GRD402") or plan.walk == "chunks":
        return f"EPOCHS * {batches}"
    if not plan.restarts:
        return f"EPOCHS * {batches} // {n}"
    if plan.walk == "zip iters":
        return f"EPOCHS * ({batches} // {n})"
    draft.use("import math")
    return f"EPOCHS * math.ceil({batches} / {n})"
