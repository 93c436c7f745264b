"""A program that is being written: its parts, and how its names are spelled where training happens."""

from __future__ import annotations

from dataclasses import dataclass, field

from .plan import Wild

EPOCHS = 2
UPDATES = 5
"""The optimizer steps after which a program without passes over its data stops."""


@dataclass(frozen=True)
class Spell:
    """How a place spells what was handed to it: bare names, or attributes of `self` or of a bag; and N."""

    prefix: str
    n: str

    def own(self, name: str) -> str:
        return f"{self.prefix}{name}"


@dataclass
class Draft:
    """What the writers have written so far. `given` are the names that training is handed, in the order they were made."""

    plan: Wild
    imports: set[str] = field(default_factory=set)
    constants: list[str] = field(default_factory=list)
    blocks: list[list[str]] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    methods: list[list[str]] = field(default_factory=list)
    once: list[str] = field(default_factory=list)
    here: Spell = field(default_factory=lambda: Spell("", "0"))
    there: Spell = field(default_factory=lambda: Spell("", "0"))

    def make(self, name: str, value: str) -> None:
        """Something that is built before training and handed to it."""
        self.setup.append(f"{name} = {value}")
        self.given.append(name)

    def own(self, name: str) -> str:
        """A name that training was handed, as training spells it."""
        return self.here.own(name)

    def use(self, *lines: str) -> None:
        """Imports that the program needs."""
        self.imports.update(lines)

    def block(self, *lines: str) -> None:
        """A function or a class of the file, once."""
        if list(lines) not in self.blocks:
            self.blocks.append(list(lines))

    @property
    def scales(self) -> bool:
        """Whether the program has a scaler, or may have one."""
        return self.plan.amp or self.plan.precision == "option"

    @property
    def n(self) -> str:
        return self.here.n


def indent(lines: list[str], by: int = 1) -> list[str]:
    """Lines so many levels deeper."""
    return [("    " * by + line) if line else line for line in lines]
