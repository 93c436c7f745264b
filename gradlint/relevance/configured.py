"""Finds the parts of a text that can disagree with a DeepSpeed configuration, by name."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.relevance.units import Units

_CONFIGURED = frozenset(
    "initialize TrainingArguments SFTConfig DPOConfig KTOConfig ORPOConfig RewardConfig Accelerator DeepSpeedPlugin".split()
)
"""The calls that accept a DeepSpeed configuration."""


def of_configurations(units: Units) -> Iterator[int]:
    """The units with such a call, and all that may be part of the configuration or train with it."""
    if "deepspeed" not in units.text:
        return
    found = units.calling(*_CONFIGURED)
    if found:
        yield from (each for number in found for each in units.family(number))
        yield from units.of_module
        yield from (number for number, unit in enumerate(units.all) if unit.is_head)
        yield from units.calling("backward", "clip_grad_norm_")
