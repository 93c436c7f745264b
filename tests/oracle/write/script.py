"""A program that is about to be written: its plan, its author's names, and how they are spelled where training happens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .. import loops
from ..plan import Plan
from ..words import WORDS, Words

EPOCHS = 2
WIDTH, GROUPS = 12, 4
"""Of the layer that a script normalises by itself: its channels, and GroupNorm's groups of them."""
COEFFICIENT = 0.1
"""The weight of the loss's second term."""


@dataclass(frozen=True)
class Script:
    """What every part of a program must agree on. In a class the names are attributes of `self`."""

    plan: Plan

    @cached_property
    def words(self) -> Words:
        return WORDS[self.plan.names]

    def has(self, *bugs: str) -> bool:
        """Whether the program carries any of some bugs."""
        return self.plan.has(*bugs)

    # Names

    def own(self, name: str) -> str:
        return f"self.{name}" if self.plan.shape == "class" else name

    @property
    def model(self) -> str:
        return self.own(self.words.model)

    @property
    def loader(self) -> str:
        return self.own(self.words.loader)

    @property
    def ignored(self) -> str:
        """The argument by which a criterion passes over masked targets, where some are."""
        if not self.has("GRD105"):
            return ""
        return f"ignore_index={'IGNORED' if self.plan.spelling % 2 else '-100'}"

    @property
    def logits(self) -> str:
        """What a criterion is given: flattened where the targets are tokens, some of them masked."""
        return "logits.flatten(0, -2)" if self.has("GRD105") else "logits"

    @property
    def cross_entropy(self) -> str:
        return f"F.cross_entropy({', '.join(filter(None, (self.logits, 'y', self.ignored)))})"

    @property
    def criterion(self) -> str:
        return self.own(self.words.criterion)

    @property
    def scheduler(self) -> str:
        return self.own(self.words.scheduler)

    @property
    def scaler(self) -> str:
        return self.own(self.words.scaler)

    @property
    def average(self) -> str:
        return self.own(self.words.average)

    @property
    def accelerator(self) -> str:
        return self.own("accelerator")

    @property
    def optimizers(self) -> list[str]:
        if self.plan.optimizers == 1:
            return [self.own(self.words.optimizer)]
        return [self.own(f"{self.words.optimizer}_body"), self.own(f"{self.words.optimizer}_head")]

    @property
    def n(self) -> str:
        """The accumulation steps."""
        word = self.words.steps
        match self.plan.steps_as:
            case "constant":
                return word.upper()
            case "literal":
                return str(self.plan.n)
            case "args":
                return f"{self.own('args')}.{word}"
            case "config":
                return f'CONFIG["{word}"]'
        return self.own(word)

    @property
    def amp(self) -> str:
        """The flag that switches mixed precision on."""
        return f"{self.own('args')}.amp"

    # The loop

    @cached_property
    def walk(self) -> loops.Walk:
        return loops.walk(self.plan, self.words, self.n, self.loader)

    @property
    def boundary(self) -> str:
        """The test for the micro-batch that closes a window."""
        return loops.boundary(self.plan, self.walk, self.n, self.loader)

    # What the parts share

    @property
    def reads_arguments(self) -> bool:
        return self.plan.steps_as in ("args", "local") or self.plan.amp in ("arms", "enabled")

    @property
    def given(self) -> list[str]:
        """What a function that trains is given."""
        plan, words = self.plan, self.words
        names = [words.model, words.loader, *self.optimizers]
        names += [words.scheduler] if plan.scheduler != "no" else []
        names += [words.scaler] if plan.amp != "no" else []
        names += [words.average] if plan.ema != "no" else []
        names += [words.criterion] if plan.loss in ("criterion", "twice") else []
        names += ["accelerator"] if plan.engine in ("accumulate", "prepared") else []
        names += ["args"] if self.reads_arguments else []
        names += [words.steps] if plan.steps_as in ("local", "ratio", "parameter") else []
        return names

    @property
    def asks_function(self) -> bool:
        """Whether a function of the file says if a micro-batch closes its window."""
        plan = self.plan
        return plan.guard == "function" and plan.accumulates and plan.engine != "accumulate" and self.walk.outer is None

    @property
    def updates_in_method(self) -> bool:
        return self.plan.shape == "class" and self.plan.engine != "accumulate" and self.plan.spelling % 2 == 1

    # Division by N

    @property
    def divides(self) -> bool:
        """Whether the script divides the loss by itself."""
        plan = self.plan
        if not plan.accumulates or self.has("GRD101", "GRD104"):
            return False
        if plan.engine == "accumulate" or (plan.engine == "prepared" and plan.division == "hoisted"):
            return self.has("GRD102")
        return True

    @property
    def engine_divides(self) -> bool:
        """Whether Accelerate is told N, by which its `backward` divides."""
        plan = self.plan
        if plan.engine == "prepared":
            return plan.accumulates and (plan.division == "hoisted" or self.has("GRD102"))
        return plan.engine == "accumulate"

    @property
    def divisor(self) -> str:
        return str(self.plan.n + 1) if self.has("GRD103") else self.n
