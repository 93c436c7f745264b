"""Losses that compare the samples of a batch with each other, by their names or because each sample's position is its class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import last_name
from gradlint.simulate.callables import Instance
from gradlint.simulate.contents import is_data
from gradlint.simulate.values import Opaque, Tensor, settings_of
from gradlint.simulate.world import last_part

PLACES = "arange"
"""Marks the numbers 0, 1, 2, ... of the samples of a batch."""

_NAMED = re.compile(
    r"^(InfoNCE|NT_?Xent|Multiple_?Negatives(Symmetric)?Ranking|(Open)?CLIP|SigLIP|SupCon|SimCLR|NPairs?)_?(Loss)?$", re.I
)
_QUEUED = re.compile(r"^InfoNCE", re.I)
"""Losses that accept separate negatives, after the two arguments that they compare."""
_LOSS = re.compile(r"loss|criteri|entropy|^ce$", re.I)
_SAMPLES = re.compile(r"batch|(^|_)bsz?$", re.I)


def places(given: Sequence[Any]) -> Tensor | None:
    """`torch.arange(len(batch))`: the positions of samples in their batch. None for other ranges."""
    draws = frozenset().union(*(each.draws for each in given if is_data(each)))
    names = {name for each in given for name in (settings_of(each) or ((each.identity,) if type(each) is Opaque else ()))}
    if draws or any(_SAMPLES.search(last_part(name)) for name in names):
        return Tensor(draws, None, text=PLACES)
    return None


def compares(callee: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call computes a loss across the samples of a batch."""
    name = class_of(callee)
    if _NAMED.search(name):
        return not (_QUEUED.search(name) and len(args) + len(kwargs) > 2)
    target = args[1] if len(args) > 1 else kwargs.get("target", kwargs.get("labels"))
    return is_data(target) and target.terms is None and target.text == PLACES and _LOSS.search(name) is not None


def marked(callee: Instance, value: Any) -> Any:
    """The result of a loss class of the text, marked if the class name says that it compares samples."""
    if not is_data(value) or not value.terms or not _NAMED.search(callee.cls.name):
        return value
    terms = tuple((replace(source, across=True), factor) for source, factor in value.terms)
    return Tensor(value.draws, terms, value.models, value.scaler, value.detached, value.reduced)


def class_of(callee: Any) -> str:
    """The name of a function, or of the class of a called object."""
    if isinstance(callee, Instance):
        return callee.cls.name
    if is_data(callee) and callee.terms:
        made_by = callee.terms[0][0].node
        return (last_name(made_by.func) or "") if isinstance(made_by, cst.Call) else ""
    return callee.identity.partition("(")[0].rpartition(".")[2] if type(callee) is Opaque else ""
