"""What the gradients of each optimizer hold while a record is replayed."""

from __future__ import annotations

from dataclasses import dataclass, field

from gradlint.simulate.values import Factor, Source, Terms


@dataclass(eq=False)
class Gradients:
    """The gradients of one optimizer: each term with the index of its backward pass, and whether a scaler's factor is in them."""

    parts: list[tuple[Source, Factor, int]] = field(default_factory=list)
    scaled: bool = False
    unscaled: bool = False
    """Whether the scaler has unscaled them since its last update."""

    @property
    def terms(self) -> Terms:
        return tuple((source, factor) for source, factor, _ in self.parts)

    @property
    def held(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(place for _, _, place in self.parts))

    def add(self, terms: Terms, place: int, *, scaled: bool) -> None:
        """Add what a backward pass made."""
        self.parts += [(source, factor, place) for source, factor in terms]
        self.scaled, self.unscaled = scaled, False

    def rescale(self, factor: Factor) -> None:
        """Multiply them."""
        self.parts = [(source, known.times(factor), place) for source, known, place in self.parts]

    def clear(self) -> None:
        """Set them to zero."""
        self.parts.clear()
        self.scaled = self.unscaled = False
