"""What the proofs need of DeepSpeed, which itself needs a launcher and compiles its own kernels.

The engine of one process in full precision, after `DeepSpeedEngine.backward`, `step` and `is_gradient_accumulation_boundary` of
deepspeed 0.19: it divides each loss by N, counts its calls of `step()`, and clips, updates and zeroes at every N-th.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class DeepSpeedEngine:
    def __init__(self, module: nn.Module, optimizer: Optimizer, config: dict[str, Any]) -> None:
        self.module, self.optimizer = module, optimizer
        self.steps = config.get("gradient_accumulation_steps", 1)
        self.bound = config.get("gradient_clipping", 0.0)
        self.micro_steps = 0

    def __call__(self, *inputs: Tensor) -> Tensor:
        output: Tensor = self.module(*inputs)
        return output

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.module.parameters()

    def backward(self, loss: Tensor) -> None:
        (loss / self.steps).backward()

    def step(self) -> None:
        self.micro_steps += 1
        if self.micro_steps % self.steps == 0:
            if self.bound > 0:
                torch.nn.utils.clip_grad_norm_(self.parameters(), self.bound)
            self.optimizer.step()
            self.optimizer.zero_grad()


def initialize(model: nn.Module, optimizer: Optimizer, config: dict[str, Any]) -> tuple[DeepSpeedEngine, Optimizer, None, None]:
    return DeepSpeedEngine(model, optimizer, config), optimizer, None, None
