"""What a generated program is: one choice per question that the field answers in several ways, and the bugs it carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

EARLY_BUGS = (
    "GRD101 GRD102 GRD103 GRD104 GRD106 GRD201 GRD202 GRD203 GRD204 GRD205 GRD206 GRD301 GRD302 GRD303 GRD304 GRD305 GRD306 "
    "GRD307 GRD401 GRD402 GRD403 GRD404 GRD501 GRD601 GRD602 GRD603"
).split()
LATE_BUGS = "GRD105 GRD502".split()
BUGS = sorted([*EARLY_BUGS, *LATE_BUGS])
"""The bugs that can be put into a program. The others of the catalogue are not in a loop that a script runs by itself."""

NOISE = ("log", "evaluate", "skip nan", "save", "grad norm", "other loop", "metrics", "try")


def _one_of(*options: Any) -> Any:
    """A choice; the first option is the plainest, to which failures shrink."""
    return field(default=options[0], metadata={"options": options})


def _late(*options: Any) -> Any:
    """A choice that came to the generator later. It is drawn apart, so that a seed keeps what it gave before."""
    return field(default=options[0], metadata={"options": options, "late": True})


@dataclass(frozen=True)
class Plan:
    """A program, as the answers to what its author decided."""

    n: int = _one_of(2, 3, 4)
    shape: str = _one_of("script", "function", "class", "helpers", "given")
    names: int = _one_of(0, 1, 2, 3, 4)
    steps_as: str = _one_of("constant", "literal", "args", "config", "local", "ratio", "parameter")
    loop: str = _one_of(
        "enumerate", "from one", "range", "zip", "top", "bottom", "before test", "tqdm", "while", "global", "reset",
        "reset carried", "stream", "windows", "nested",
    )  # fmt: skip
    spelling: int = _one_of(0, 1, 2, 3, 4)
    guard: str = _one_of("if", "flag", "continue", "else", "function", "split", "twice negated")
    tail: str = _one_of("guard", "after")
    last_index: int = _one_of(0, 1, 2)
    division: str = _one_of(
        "assign", "augment", "inline", "criterion", "inverse", "method", "gradient", "if more", "helper", "rescale", "torch", "hoisted"
    )  # fmt: skip
    loss: str = _one_of("criterion", "functional", "helper", "twice")
    aux: bool = _one_of(False, True)
    amp: str = _one_of("no", "yes", "arms", "enabled")
    autocast: bool = _one_of(False, True)
    clip: str = _one_of("no", "norm", "value")
    unscale: bool = _one_of(False, True)
    optimizer: str = _one_of("SGD", "momentum", "AdamW", "Adam")
    optimizers: int = _one_of(1, 2)
    together: bool = _one_of(False, True)
    zero: str = _one_of("method", "to none", "model", "by hand", "before forward")
    scheduler: str = _one_of("no", "step", "lambda", "cosine", "onecycle", "linear", "epoch")
    length: str = _one_of("floor", "ceil", "variable", "literal")
    ema: str = _one_of("no", "averaged", "own")
    engine: str = _one_of("none", "none", "none", "accumulate", "prepared", "ddp")
    sync: str = _one_of("nullcontext", "arms", "attribute")
    log: str = _one_of("no", "sum", "true")
    noise: tuple[str, ...] = ()
    comments: int = _one_of(0, 1, 2, 3)
    accumulates: bool = _one_of(True, True, True, True, True, True, True, False)
    bugs: frozenset[str] = frozenset()
    model: str = _late("net", "net", "net", "net", "net", "class", "function", "in place")
    named_slice: bool = _late(False, True)

    def has(self, *bugs: str) -> bool:
        """Whether the program carries any of some bugs."""
        return not self.bugs.isdisjoint(bugs)

    @property
    def restarts(self) -> bool:
        """Whether the count of micro-batches begins anew with each pass over the data."""
        return self.loop not in ("global", "reset carried", "stream", "windows")

    @property
    def finite(self) -> bool:
        """Whether passes over the data end, so that there is a tail."""
        return self.loop not in ("stream", "windows")

    @property
    def windowed(self) -> bool:
        """Whether the loop over micro-batches is one window, so that nothing counts them."""
        return self.loop in ("windows", "nested")

    @property
    def resets(self) -> bool:
        """Whether the counter goes back to zero where a window closes."""
        return self.loop in ("reset", "reset carried")
