"""What an undivided loss does under each optimizer: the script of GRD101, trained with one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from observer import Observed, run_script
from proofs import PROOFS, miss, percent, two
from reference import Setup, reference

_WRITTEN = "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"


@dataclass(frozen=True)
class Variant:
    """An optimizer of `torch.optim` with its settings, and a bound for the gradient's norm."""

    optimizer: str
    settings: dict[str, float] = field(default_factory=dict)
    clip: float | None = None
    cancels: bool = False  # the factor N is in what divides as well

    @property
    def name(self) -> str:
        settings = ", ".join(f"{key}={value:g}" for key, value in self.settings.items())
        return f"`{self.optimizer}({settings})`" + (f", clipped to {self.clip:g}" if self.clip else "")

    @property
    def setup(self) -> Setup:
        return Setup(optimizer=lambda weights: getattr(torch.optim, self.optimizer)(weights, **self.settings), clip=self.clip)

    def run(self, source: str) -> Observed:
        """Run GRD101's script with this optimizer and clip in the place of its own."""
        settings = "".join(f", {key}={value!r}" for key, value in self.settings.items())
        source = source.replace(_WRITTEN, f"torch.optim.{self.optimizer}(model.parameters(){settings})")
        if self.clip:
            call = f"torch.nn.utils.clip_grad_norm_(model.parameters(), {self.clip})\n"
            source = source.replace("optimizer.step()", call + " " * 12 + "optimizer.step()")
        return run_script(source, "GRD101.py")


VARIANTS = (
    Variant("SGD", {"lr": 0.1}),
    Variant("SGD", {"lr": 0.1, "momentum": 0.9}),
    Variant("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    Variant("SGD", {"lr": 0.1, "momentum": 0.9}, clip=0.4),
    Variant("SGD", {"lr": 0.1, "momentum": 0.9}, clip=0.1, cancels=True),
    Variant("Adam", {"lr": 0.01}, cancels=True),
    Variant("AdamW", {"lr": 0.01, "weight_decay": 0.1}, cancels=True),
    Variant("AdamW", {"lr": 0.01, "weight_decay": 0.1}, clip=0.4),
    Variant("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    Variant("Adam", {"lr": 0.01, "eps": 0.01}),
)


def runs() -> Iterator[tuple[Variant, Observed, Observed, Observed]]:
    """Each variant as written, as repaired, and its reference."""
    proof = next(proof for proof in PROOFS if proof.script == "GRD101")
    assert _WRITTEN in proof.source
    for variant in VARIANTS:
        yield variant, variant.run(proof.source), variant.run(proof.repaired), reference(variant.setup)


def by_optimizer() -> str:
    """A table: how far off an undivided loss leaves the weights, by optimizer."""
    rows = [
        "| optimizer | length of the first update | weights after 12 updates | updates that were clipped |",
        "|---|---|---|---|",
    ]
    for variant, faulty, _, meant in runs():
        bites = [sum(clip.bites for clip in run.clips) for run in (faulty, meant)]
        clipped = ""
        if variant.clip:
            clipped = f"all {bites[0]}, as in the large batch" if bites[0] == bites[1] else f"{bites[0]} instead of {bites[1]}"
        longer = float((faulty.first - faulty.initial).norm() / (meant.first - meant.initial).norm())
        first = "right" if two(longer) == "1.0" else f"{two(longer)} times too long"
        off = percent(miss(faulty, meant))
        rows.append(f"| {variant.name} | {first} | {off} off | {clipped} |")
    return "\n".join(rows)
