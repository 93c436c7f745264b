"""What a wild program is: how its author walks the data, closes a window, holds a loss and shares code out; and its bugs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BUGS = (
    "GRD101 GRD102 GRD103 GRD104 GRD201 GRD202 GRD203 GRD204 GRD205 GRD206 GRD301 GRD302 GRD303 GRD304 GRD305 GRD306 GRD307 "
    "GRD401 GRD402 GRD403 GRD404"
).split()
"""The bugs that can be put into a program: those that are reported by default and stand in a loop."""

AROUND = (
    "bar", "total", "mean", "checkpoint", "saved", "noise", "validate", "finite", "limit", "stop", "norm", "rate", "accuracy",
    "logged", "evaluated", "exit", "skipped", "gradients", "unwrapped", "mode", "device", "devices",
)  # fmt: skip
"""What real files have around an update; any number of them."""

UNENDING = ("steps", "restarted", "inner range")
"""Walks that are no passes over the data: they end with a number of updates."""

INDEXED = (
    "enumerate", "batch", "from one", "range", "steps", "zip count", "order", "indices", "numbered", "progress", "restarted",
)  # fmt: skip
"""Walks that have a number for each micro-batch."""

COUNTED = (*INDEXED, "bare", "try next", "next default", "prefetch")
"""Walks over micro-batches, of which a test tells which closes a window."""

LISTED = ("batched", "yielded", "islice", "listed", "zip iters", "chunks")
"""Walks over windows that are lists or tuples of micro-batches."""

WINDOWED = (*LISTED, "inner range", "inner while")
"""Walks in which the loop over micro-batches is one window."""


def _one_of(*options: Any) -> Any:
    """A choice; the first option is the plainest, to which failures shrink."""
    return field(default=options[0], metadata={"options": options})


def _late(*options: Any) -> Any:
    """A choice that came to the generator later. It is drawn last, so that a seed keeps what it gave before."""
    return field(default=options[0], metadata={"options": options, "late": True})


@dataclass(frozen=True)
class Wild:
    """A program, as the answers to what its author decided."""

    n: int = _one_of(2, 3, 4)
    frame: str = _one_of("script", "main", "train", "trainer", "bag", "closure")
    settings: str = _one_of("constant", "literal", "local", "args", "dataclass", "dict", "namespace", "product", "json")
    data: str = _one_of("loader", "loader", "loader", "stream")
    walk: str = _one_of(*COUNTED, *WINDOWED, "losses")
    counter: str = _one_of("index", "name", "dict", "list", "dataclass", "closure", "count", "epochs")
    carried: bool = _one_of(False, False, True)
    resumed: bool = _one_of(False, False, True)
    boundary: str = _one_of(
        "plain", "not", "walrus", "match", "lambda", "divmod", "rest", "property", "flag", "flag in dict", "flag in object",
        "ends", "table", "since", "countdown", "bits", "continue", "else", "cycle", "function", "partial",
    )  # fmt: skip
    slip: str = _one_of("first", "late")
    tail: str = _one_of("guard", "after")
    loss: str = _one_of("criterion", "functional", "helper", "dict", "tuple", "object", "list", "model", "returned dict")
    terms: int = _one_of(1, 2, 3)
    optional: bool = _one_of(False, True)
    division: str = _one_of(
        "assign", "inline", "augment", "method", "factor", "conditional", "lambda", "helper", "renamed", "torch", "gradient",
        "gradients", "size", "negative power", "if more",
    )  # fmt: skip
    backward: str = _one_of("plain", "plain", "alias", "helper")
    amp: bool = _one_of(False, False, True)
    precision: str = _one_of("settled", "settled", "option")
    forward: str = _one_of("plain", "plain", "autocast")
    clip: str = _one_of("no", "norm", "value", "own")
    clipping: str = _one_of("always", "always", "if positive", "if given")
    passes: str = _one_of("for", "for", "while")
    optimizer: str = _one_of("SGD", "momentum", "AdamW")
    zero: str = _one_of("method", "to none", "model", "hand")
    cleared: bool = _one_of(False, True)
    scheduler: str = _one_of("no", "step", "lambda", "cosine", "onecycle")
    length: str = _one_of("inline", "named", "shared")
    ema: str = _one_of("no", "no", "averaged", "own")
    update: str = _one_of("inline", "inline", "function", "nested", "method", "aliases", "partial", "context", "callbacks")
    report: str = _one_of("no", "print", "f-string", "writer", "logger", "history", "meter", "told back")
    stage: str = _one_of("none", "none", "none", "warm-up", "shared", "second")
    around: tuple[str, ...] = ()
    bugs: frozenset[str] = frozenset()
    scheduling: str = _late("always", "always", "if given")
    engines: str = _late("one", "one", "arms")
    feed: str = _late("plain", "plain", "plain", "pairs", "sizeless", "generator", "cut")
    gate: str = _late("inline", "inline", "inline", "inline", "early return")
    advance: str = _late("always", "if stepped")
    each_pass: str = _late("inline", "inline", "function")
    rescue: str = _late("no", "no", "memory", "finally")
    watch: str = _late("no", "no", "no", "function", "nested", "class")

    def has(self, *bugs: str) -> bool:
        """Whether the program carries any of some bugs."""
        return not self.bugs.isdisjoint(bugs)

    @property
    def counted(self) -> bool:
        """Whether a test tells which micro-batch closes a window."""
        return self.walk in COUNTED

    @property
    def finite(self) -> bool:
        """Whether passes over the data end, so that there is a tail."""
        return self.walk not in UNENDING

    @property
    def restarts(self) -> bool:
        """Whether the count of micro-batches begins anew with each pass over the data."""
        return not (self.counted and self.finite and (self.counter == "epochs" or self.carried))

    @property
    def measured(self) -> bool:
        """Whether the data have a length."""
        return self.data != "stream" and self.feed not in ("pairs", "sizeless", "cut")
