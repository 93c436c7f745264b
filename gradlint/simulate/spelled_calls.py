"""What a function of unknown code does, judged by its name."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import (
    BOUNDARY_ARGUMENTS,
    CLIPS,
    GRADIENT_RESCALERS,
    LOSS_SPELLING,
    UPDATES,
    WRAPS_ITERABLE,
    spells_zeroing,
)
from gradlint.model.syntax.expressions import last_name, text

_CLIP = re.compile(r"^(clip|dispatch_clip)_(model_)?(grads?|gradients?)(_norm|_value|_by_norm)?_?$|^clip_gradient$", re.I)


_FETCH = re.compile(r"^next$|get_batch|next_batch|sample_batch|fetch_batch|load_batch|get_next")


_AVERAGE = re.compile(r"^(update_ema|ema_update|update_average|update_moving_average|ema_step)\w*$", re.I)


_WALKS = re.compile(r"(^|_)(log_every|progress(_bar)?|pbar|track|tqdm|prefetch(er)?|timed|with_progress)$", re.I)


_EVERY = re.compile(r"^every_n_(inner_)?(iters|steps|batches)$")


class Does(Enum):
    """What a function of unknown code does, judged by its name alone."""

    CLIP = "clip gradients"
    RESCALE = "multiply gradients"
    ZERO = "clear gradients"
    AVERAGE = "update an average of the weights"
    FETCH = "give a batch"
    WALK = "walk what it is given"
    EVERY = "ask whether a window is full"
    OTHER = "anything"


@lru_cache(maxsize=8192)
def does(last: str) -> Does:
    if last in CLIPS or _CLIP.search(last):
        return Does.CLIP
    if GRADIENT_RESCALERS.search(last):
        return Does.RESCALE
    if spells_zeroing(last):
        return Does.ZERO
    if _AVERAGE.search(last):
        return Does.AVERAGE
    if _FETCH.search(last):
        return Does.FETCH
    if last in WRAPS_ITERABLE or _WALKS.search(last):
        return Does.WALK
    return Does.EVERY if _EVERY.search(last) else Does.OTHER


_INSTALLED = re.compile(r"^_?is_\w+_(available|installed|enabled|initialized)$")


def asks_for_machine(last: str) -> bool:
    """Whether a function checks if something is installed or set up: its answer is the same each time."""
    return _INSTALLED.search(last) is not None


def name_of_update(last: str, node: cst.CSTNode) -> bool:
    """Whether a method's name says that it updates the weights."""
    return type(node) is cst.Call and type(node.func) is cst.Attribute and last in UPDATES


def steps_by_name(name: str) -> bool:
    """Whether a method of something named like an optimizer steps, perhaps among other things: `step_and_update_lr`."""
    return name == "step" or name.startswith("step_and_")


def wraps(last: str, kwargs: dict[str, Any], node: cst.CSTNode) -> bool:
    first = node.args[0].value if isinstance(node, cst.Call) and node.args else node
    spelled = last.lower().endswith("scaler") or not BOUNDARY_ARGUMENTS.isdisjoint(kwargs)
    if not spelled and isinstance(node, cst.Call):
        spelled = any(map(asks_for_boundary, node.args[2:]))
    return spelled and LOSS_SPELLING.search(last_name(first) or text(first)) is not None


def asks_for_boundary(arg: cst.Arg) -> bool:
    """Whether an argument is a condition on a remainder, possibly combined with a flush."""
    return isinstance(arg.value, (cst.Comparison, cst.BooleanOperation)) and "%" in text(arg.value)
