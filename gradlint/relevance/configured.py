"""What of a text can disagree with a DeepSpeed configuration, told by names."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.relevance.units import Units

_CONFIGURED = frozenset(
    "initialize TrainingArguments SFTConfig DPOConfig KTOConfig ORPOConfig RewardConfig Accelerator DeepSpeedPlugin".split()
)
"""What is given a DeepSpeed configuration."""


def of_configurations(units: Units) -> Iterator[int]:
    """What is given a DeepSpeed configuration, and all that may be a part of it or that trains beside it."""
    if "deepspeed" not in units.text:
        return
    found = units.calling(*_CONFIGURED)
    if found:
        yield from (each for number in found for each in units.family(number))
        yield from units.of_module
        yield from (number for number, unit in enumerate(units.all) if unit.is_head)
        yield from units.calling("backward", "clip_grad_norm_")
