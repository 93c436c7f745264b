"""Parameters whose annotation names a data class of settings: each field is a setting, with the class's value as its default."""

from __future__ import annotations

import pytest
from scripts import HEAD, codes

SCRIPT = f"""{HEAD}
from dataclasses import dataclass, field
from typing import Optional


@dataclass
class Config:
    accum_steps: int = 1
    copies: int = 1
    clip: Optional[float] = None
    betas: list = field(default_factory=list)

    @property
    def every(self):
        return self.accum_steps * self.copies


def train(model, dataset, criterion, config: Config):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(dataset)
    for i, (x, y) in enumerate(loader):
        (criterion(model(x), y) / DIVISOR).backward()
        if config.clip is not None and GUARD:
            clip_grad_norm_(model.parameters(), config.clip)
        if (i + 1) % EVERY == 0:
            optimizer.step()
            optimizer.zero_grad()
"""


def script(divisor: str, every: str, guard: str = "(i + 1) % config.accum_steps == 0") -> str:
    return SCRIPT.replace("DIVISOR", divisor).replace("EVERY", every).replace("GUARD", guard)


@pytest.mark.parametrize("every", ("config.accum_steps", "config.every", "(config.accum_steps * config.copies)"))
def test_the_defaults_of_other_settings_do_not_hide_the_window(every: str) -> None:
    assert "GRD101" in codes(script("1", every))
    assert "GRD101" not in codes(script("config.accum_steps", every))


def test_a_default_of_none_may_be_replaced() -> None:
    assert codes(script("config.accum_steps", "config.accum_steps", "True")) == {"GRD202", "GRD301"}
    assert codes(script("config.accum_steps", "config.accum_steps", "False")) == {"GRD202"}
