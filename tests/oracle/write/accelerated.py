"""The body of `with accelerator.accumulate(model):`, where Accelerate counts, divides and gates."""

from __future__ import annotations

from .lines import indent
from .loss import backward, forward
from .script import Script
from .update import averaging, schedule


def accumulated(script: Script) -> list[str]:
    """One micro-batch with its update, which Accelerate passes over inside a window."""
    optimizer = script.optimizers[0]
    average = averaging(script)
    return [
        f"with {script.accelerator}.accumulate({script.model}):",
        *indent(
            [
                *forward(script),
                *backward(script),
                *_clip(script),
                f"{optimizer}.step()",
                *schedule(script),
                *([] if script.has("GRD205") else [f"{optimizer}.zero_grad()"]),
                *(average if script.has("GRD404") else _gated(script, average)),
            ]
        ),
    ]


def _gated(script: Script, lines: list[str]) -> list[str]:
    return [f"if {script.accelerator}.sync_gradients:", *indent(lines)] if lines else []


_CLIPS = {"norm": "clip_grad_norm_({}.parameters(), 0.05)", "value": "clip_grad_value_({}.parameters(), 0.01)"}


def _clip(script: Script) -> list[str]:
    if script.plan.clip == "no":
        return []
    lines = [f"{script.accelerator}.{_CLIPS[script.plan.clip].format(script.model)}"]
    return lines if script.has("GRD301") else _gated(script, lines)
