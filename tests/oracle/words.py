"""The names that programs use: plain ones, those of well-known projects, and some that mislead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """One author's names."""

    model: str
    optimizer: str
    scheduler: str
    scaler: str
    loader: str
    steps: str
    index: str
    loss: str
    average: str
    criterion: str
    epoch: str


WORDS = (
    Words("model", "optimizer", "scheduler", "scaler", "loader", "accumulation_steps", "i", "loss", "ema", "criterion", "epoch"),
    Words("net", "opt", "lr_scheduler", "grad_scaler", "train_loader", "accum_iter", "step", "batch_loss", "ema_model", "loss_fn", "ep"),
    Words("network", "solver", "annealer", "amp", "data", "k", "batch_idx", "objective", "shadow", "cost", "e"),
    Words("student", "updater", "policy", "precision", "examples", "update_every", "it", "total", "teacher", "objective", "round_"),
    Words(
        "scheduled", "stepper", "opt_schedule", "loss_scaler", "optimizer_data", "log_interval", "epoch_step", "scale", "weights",
        "step_loss", "cycle",
    ),
)  # fmt: skip
