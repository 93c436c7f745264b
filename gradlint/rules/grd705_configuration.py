"""GRD705 configuration-disagrees; the page is rules/GRD705.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.finding import Finding
from gradlint.model.engines.deepspeed_configuration import (
    BATCH,
    CLIPPING,
    MANAGED,
    MICRO_BATCH,
    STEPS,
    Configurations,
    Handed,
    Stated,
)
from gradlint.model.file import TrainingFile
from gradlint.model.names.constants import Constants
from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import argument, dotted, keywords, last_name
from gradlint.rule import file_rule

_OF_TRAINER = {STEPS: STEPS, "per_device_train_batch_size": MICRO_BATCH, "max_grad_norm": CLIPPING}
"""What the Trainer's arguments are called in the configuration."""

_COUNTS = re.compile(r"acc|(^|_)gas?(_|$)", re.I)
"""What a name holds that is for nothing but the number of micro-batches of a window."""

_LONGEST = 90
"""Characters of a header."""

_REFUSED = "the Trainer compares the two, and raises a ValueError before the first step"
_OVERRULED = "Accelerate takes the configuration's number, and logs a warning"
_ENGINE_COUNTS = "the engine divides and updates by its own number, and the script counts by another"
_CLIPS_BY_ITSELF = "the engine clips by its own bound whatever the script does"
_IGNORED = "under DeepSpeed, Accelerate's `clip_grad_norm_` clips nothing: the engine clips by its own bound"


@file_rule("GRD705", "configuration-disagrees", "The script and its DeepSpeed configuration give different numbers")
def configuration_disagrees(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    if facts is None or "deepspeed" not in facts.page.text.lower():
        return
    constants = Constants(facts)
    known = Configurations(facts, file.settings, constants)
    engines, trainers, accelerators = list(known.engines()), list(known.trainers()), list(known.accelerators())
    yield from _not_multiples((*engines, *trainers, *accelerators))
    for handed in trainers:
        yield from _refused(handed, constants)
    if len(accelerators) == 1:
        yield from _overruled(accelerators[0], facts, constants)
    if len(engines) == 1:
        yield from _Script(facts, constants, engines[0]).findings()


def _not_multiples(all_handed: Sequence[Handed]) -> Iterator[Finding]:
    """DeepSpeed requires batch = micro-batch x N x world size, where all are given; each configuration is told once."""
    told: set[tuple[str, int]] = set()
    for values in (each.values for each in all_handed):
        batch, micro, steps = (values.get(key) for key in (BATCH, MICRO_BATCH, STEPS))
        if batch is None or micro is None or steps is None or micro.value * steps.value <= 0:
            continue
        key = (batch.place, 0 if batch.place else id(batch.node))
        if batch.value % (micro.value * steps.value) and key not in told:
            told.add(key)
            where = f" (`{batch.place}`)" if batch.place else ""
            yield Finding(
                at=batch.node,
                message=f"`{BATCH}` is {batch.value}, which is no multiple of {micro.value} x {steps.value}",
                reason=f"the configuration{where} has `{MICRO_BATCH}` {micro.value} and `{STEPS}` {steps.value}: no number of "
                "processes makes that batch, and DeepSpeed raises an AssertionError",
            )


def _refused(handed: Handed, constants: Constants) -> Iterator[Finding]:
    given = keywords(handed.call)
    for key, named in _OF_TRAINER.items():
        if named == MICRO_BATCH and "auto_find_batch_size" in given:
            continue
        yield from _differs(key, given.get(key), named, handed.values, _REFUSED, constants)


def _overruled(handed: Handed, facts: Facts, constants: Constants) -> Iterator[Finding]:
    yield from _differs(STEPS, keywords(handed.call).get(STEPS), STEPS, handed.values, _OVERRULED, constants)
    alone = len(_calls(facts, "Accelerator")) == 1
    for call in _calls(facts, "clip_grad_norm_") if alone else ():
        if not facts.qualify(call.func).startswith("torch."):
            yield from _differs("max_norm", argument(call, 1, "max_norm"), CLIPPING, handed.values, _IGNORED, constants)


@dataclass(frozen=True, eq=False)
class _Script:
    """A script that hands its micro-batches to one engine, and what it says itself of what the engine does."""

    facts: Facts
    constants: Constants
    handed: Handed

    def findings(self) -> Iterator[Finding]:
        values, owners = self.handed.values, self._owners
        passes = _calls(self.facts, "backward")
        if not passes or not all(_is_of(each.func, owners) for each in passes):
            return  # it trains without the engine too
        steps = values.get(STEPS)
        if steps is not None and steps.value > 1 and MANAGED not in values:
            for name, node in self.constants.assigned().items():
                number = self.constants.number(node)
                if number is not None and number > 1 and _COUNTS.search(name) and self.facts.words.spells_steps(name):
                    yield from _differs(name, node, STEPS, values, _ENGINE_COUNTS, self.constants)
        for call in _calls(self.facts, "clip_grad_norm_"):
            of = argument(call, 0, "parameters")
            if isinstance(of, cst.Call) and _is_of(of.func, owners):
                yield from _differs("max_norm", argument(call, 1, "max_norm"), CLIPPING, values, _CLIPS_BY_ITSELF, self.constants)

    @property
    def _owners(self) -> set[str]:
        """The names of the engine."""
        found = set[str]()
        for each in self.facts.tree.all(cst.Assign):
            if each.value is self.handed.call:
                for target in each.targets:
                    first = target.target.elements[0].value if isinstance(target.target, (cst.Tuple, cst.List)) else target.target
                    found.add(dotted(first) or "")
        return found - {""}


def _differs(
    name: str,
    node: cst.BaseExpression | None,
    key: str,
    values: Mapping[str, Stated],
    harm: str,
    constants: Constants,
) -> Iterator[Finding]:
    """Where the script says one number, and the configuration another; 0 asks for nothing."""
    own = constants.number(node) if node is not None else None
    told = values.get(key)
    if node is None or told is None or own is None or own == told.value or (key == CLIPPING and min(own, told.value) <= 0):
        return
    known = "the DeepSpeed configuration"
    there = f"`{told.place}`" if told.place else known
    brief = f"{told.value} in {there}"
    told_by_key = brief if name == key else f"`{key}` is {brief}"
    headers = (f"`{name}` is {own} here, and {said}" for said in (told_by_key, brief, f"{told.value} in {known}"))
    message = next((each for each in headers if len(each) <= _LONGEST), f"{known} says {told.value} for `{key}`")
    if key not in message or there not in message:
        harm = f"{there} says so of `{key}`: {harm}"
    related = () if told.place else ((told.node, f"the configuration says {told.value} here"),)
    yield Finding(at=node, message=message, reason=harm, related=related)


def _is_of(method: cst.CSTNode, owners: set[str]) -> bool:
    """Whether a method is one of an object with such a name, or of a part of it."""
    return (dotted(method) or "").startswith(tuple(f"{each}." for each in owners))


def _calls(facts: Facts, name: str) -> list[cst.Call]:
    calls = (call for statement in facts.statements for call in facts.tree.calls(statement))
    return [call for call in calls if last_name(call.func) == name]
