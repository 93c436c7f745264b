"""GRD705 configuration-disagrees; the page is rules/GRD705.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.finding import Finding, no_fix
from gradlint.model.data.settings import BATCH, MICRO_BATCH, STEPS
from gradlint.model.engines.deepspeed_disagreements import Disagreement, Disagreements, NoMultiple, Reader
from gradlint.model.file import TrainingFile
from gradlint.rule import file_rule

_LONGEST = 90
"""The longest header, in characters."""

_YOURS = no_fix("only you know which of the numbers is right")

_HARM = {
    Reader.TRAINER: "the Trainer compares the two, and raises a ValueError before the first step",
    Reader.ACCELERATE: "Accelerate takes the configuration's number, and logs a warning",
    Reader.ACCELERATE_CLIP: "under DeepSpeed, Accelerate's `clip_grad_norm_` clips nothing: the engine clips with its own bound",
    Reader.ENGINE: "the engine divides and updates by its number, and the script counts with another",
    Reader.ENGINE_CLIP: "the engine clips with its own bound, whatever the script does",
}


@file_rule("GRD705", "configuration-disagrees", "The script and its DeepSpeed configuration give different numbers")
def configuration_disagrees(file: TrainingFile) -> Iterator[Finding]:
    if file.facts is not None and "deepspeed" in file.facts.page.text.lower():
        known = Disagreements(file.facts, file.settings)
        yield from map(_not_a_multiple, known.no_multiples())
        yield from map(_differs, known.of_both())


def _not_a_multiple(found: NoMultiple) -> Finding:
    batch, micro, steps = found.batch, found.micro.value, found.steps.value
    where = f" (`{batch.place}`)" if batch.place else ""
    return Finding(
        at=batch.node,
        message=f"`{BATCH}` is {batch.value}, which is not a multiple of {micro} x {steps}",
        reason=f"the configuration{where} sets `{MICRO_BATCH}` to {micro} and `{STEPS}` to {steps}: no number "
        "of processes gives that batch, so DeepSpeed raises an AssertionError",
        note=_YOURS,
    )


def _differs(found: Disagreement) -> Finding:
    name, own, key, told = found.name, found.own, found.key, found.stated
    known, harm = "the DeepSpeed configuration", _HARM[found.reader]
    there = f"`{told.place}`" if told.place else known
    brief = f"{told.value} in {there}"
    headers = (f"`{name}` is {own} here, but {said}" for said in (_by_key(name, key, brief), brief, f"{told.value} in {known}"))
    message = next(
        (each for each in headers if len(each) <= _LONGEST), f"The DeepSpeed configuration sets `{key}` to {told.value}"
    )
    if key not in message or there not in message:
        harm = f"{there} sets `{key}`: {harm}"
    related = () if told.place else ((told.node, f"the configuration sets {told.value} here"),)
    return Finding(at=found.node, message=message, reason=harm, related=related, note=_YOURS)


def _by_key(name: str, key: str, brief: str) -> str:
    return brief if name == key else f"`{key}` is {brief}"
