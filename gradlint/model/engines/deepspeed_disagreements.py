"""Finds where a script and its DeepSpeed configuration give different numbers, or the configuration contradicts itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import libcst as cst

from gradlint.model.data.settings import BATCH, CLIPPING, MANAGED, MICRO_BATCH, STEPS, SettingsInSight
from gradlint.model.engines.deepspeed_configuration import Configurations, Handed, Stated
from gradlint.model.names.constants import Constants
from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import argument, dotted, keywords, last_name

_OF_TRAINER = {STEPS: STEPS, "per_device_train_batch_size": MICRO_BATCH, "max_grad_norm": CLIPPING}
"""Maps the Trainer's arguments to the keys of the configuration."""

_COUNTS = re.compile(r"acc|(^|_)gas?(_|$)", re.I)
"""Matches names that can only mean the number of micro-batches in a window."""


class Reader(Enum):
    """The library that reads both numbers."""

    TRAINER = "the Trainer compares them"
    ACCELERATE = "Accelerate takes the configuration's"
    ACCELERATE_CLIP = "Accelerate's clip does nothing"
    ENGINE = "the engine counts by its own"
    ENGINE_CLIP = "the engine clips by its own"


@dataclass(frozen=True, eq=False)
class Disagreement:
    """The script gives `own` as `name`, at a node, but the configuration gives another number for `key`."""

    name: str
    node: cst.BaseExpression
    own: int | float
    key: str
    stated: Stated
    reader: Reader


@dataclass(frozen=True, eq=False)
class NoMultiple:
    """A batch size that is not a multiple of the micro-batch size times the accumulation steps."""

    batch: Stated
    micro: Stated
    steps: Stated


class Disagreements:
    """Finds the disagreements in one file."""

    def __init__(self, facts: Facts, settings: SettingsInSight) -> None:
        self.facts = facts
        self.constants = Constants(facts)
        known = Configurations(facts, settings, self.constants)
        self.engines = list(known.engines())
        self.trainers = list(known.trainers())
        self.accelerators = list(known.accelerators())

    def no_multiples(self) -> Iterator[NoMultiple]:
        """Find configurations that break DeepSpeed's rule: batch = micro-batch x N x world size, if all are given.

        Each configuration is reported once.
        """
        told: set[tuple[str, int]] = set()
        for values in (each.values for each in (*self.engines, *self.trainers, *self.accelerators)):
            batch, micro, steps = (values.get(key) for key in (BATCH, MICRO_BATCH, STEPS))
            if batch is None or micro is None or steps is None or micro.value * steps.value <= 0:
                continue
            key = (batch.place, 0 if batch.place else id(batch.node))
            if batch.value % (micro.value * steps.value) and key not in told:
                told.add(key)
                yield NoMultiple(batch, micro, steps)

    def of_both(self) -> Iterator[Disagreement]:
        """Find differences between the script and the configuration."""
        for handed in self.trainers:
            yield from self._of_trainer(handed)
        if len(self.accelerators) == 1:
            yield from self._of_accelerator(self.accelerators[0])
        if len(self.engines) == 1:
            yield from _OfEngine(self, self.engines[0]).disagreements()

    def _of_trainer(self, handed: Handed) -> Iterator[Disagreement]:
        given = keywords(handed.call)
        for key, named in _OF_TRAINER.items():
            if named == MICRO_BATCH and "auto_find_batch_size" in given:
                continue
            yield from self.differs(key, given.get(key), named, handed.values, Reader.TRAINER)

    def _of_accelerator(self, handed: Handed) -> Iterator[Disagreement]:
        yield from self.differs(STEPS, keywords(handed.call).get(STEPS), STEPS, handed.values, Reader.ACCELERATE)
        alone = len(self.calls("Accelerator")) == 1
        for call in self.calls("clip_grad_norm_") if alone else ():
            if not self.facts.qualify(call.func).startswith("torch."):
                bound = argument(call, 1, "max_norm")
                yield from self.differs("max_norm", bound, CLIPPING, handed.values, Reader.ACCELERATE_CLIP)

    def differs(
        self, name: str, node: cst.BaseExpression | None, key: str, values: Mapping[str, Stated], reader: Reader
    ) -> Iterator[Disagreement]:
        """Yield a disagreement if the script and the configuration give different numbers.

        A clipping bound of 0 means no clipping.
        """
        own = self.constants.number(node) if node is not None else None
        stated = values.get(key)
        if node is None or stated is None or own is None or own == stated.value:
            return
        if key != CLIPPING or min(own, stated.value) > 0:
            yield Disagreement(name, node, own, key, stated, reader)

    def calls(self, name: str) -> list[cst.Call]:
        """The calls of a function or method, by the last part of its name."""
        calls = (call for statement in self.facts.statements for call in self.facts.tree.calls(statement))
        return [call for call in calls if last_name(call.func) == name]


@dataclass(frozen=True, eq=False)
class _OfEngine:
    """A script that trains with one engine, and the numbers that it sets itself for what the engine does."""

    known: Disagreements
    handed: Handed

    def disagreements(self) -> Iterator[Disagreement]:
        known, values = self.known, self.handed.values
        passes = known.calls("backward")
        if not passes or not all(self._is_of_engine(each.func) for each in passes):
            return  # it also trains without the engine
        steps = values.get(STEPS)
        if steps is not None and steps.value > 1 and MANAGED not in values:
            for name, node in known.constants.assigned().items():
                number = known.constants.number(node)
                if number is not None and number > 1 and _COUNTS.search(name) and known.facts.words.spells_steps(name):
                    yield from known.differs(name, node, STEPS, values, Reader.ENGINE)
        for call in known.calls("clip_grad_norm_"):
            of = argument(call, 0, "parameters")
            if isinstance(of, cst.Call) and self._is_of_engine(of.func):
                yield from known.differs("max_norm", argument(call, 1, "max_norm"), CLIPPING, values, Reader.ENGINE_CLIP)

    def _is_of_engine(self, method: cst.CSTNode) -> bool:
        """Whether a method belongs to the engine or a part of it."""
        return (dotted(method) or "").startswith(tuple(f"{each}." for each in self._names))

    @cached_property
    def _names(self) -> set[str]:
        """The names of the engine."""
        found = set[str]()
        for each in self.known.facts.tree.all(cst.Assign):
            if each.value is self.handed.call:
                for target in each.targets:
                    first = target.target.elements[0].value if isinstance(target.target, (cst.Tuple, cst.List)) else target.target
                    found.add(dotted(first) or "")
        return found - {""}
