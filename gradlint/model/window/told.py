"""Flags that a caller of another file gives to a micro-batch body: whether they close a window is not known here."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from gradlint.model.names.records import Frame, RawEvent, Site
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import root_name
from gradlint.model.syntax.paths import Guard, exclusive


def told_by_caller(
    guard: Guard, site: Site, resolver: Resolver, backwards: Sequence[RawEvent], stepping: Sequence[RawEvent]
) -> bool:
    """`def train_step(batch, last): ...; if last: optimizer.step()`: every step waits for what the caller says.

    A body without a loop runs once per call, and its arguments may be others each time. A flag that only chooses between
    two ways to step (`if fp16:`) leaves a step on its other arm.
    """
    following = [step for step in stepping if any(b.index < step.index and not exclusive(b.path, step.path) for b in backwards)]
    for question, truth in guard.answers.items():
        frame, words = question
        if not words.isidentifier() or not _is_given(words, site, resolver):
            continue
        waiting = all(any(each.answers.get((frame, words)) is truth for each in step.path) for step in following)
        acting = {
            root_name(node) for step in following for node in (step.receiver, *(a.value for a in step.args)) if node is not None
        }
        if following and waiting and words not in acting:
            return True
    return False


def _is_given(name: str, site: Site, resolver: Resolver) -> bool:
    """The name is a parameter of the function that no code of this file calls, or was handed on from one."""
    *_, (node, home) = resolver.follow(cst.Name(name), site)
    if not isinstance(node, cst.Name) or not _is_parameter(node.value, home.frame, resolver):
        return False
    return not resolver.all_of(node.value, home.frame)


def _is_parameter(name: str, frame: Frame, resolver: Resolver) -> bool:
    root = resolver.trace.root
    return frame is root and root.function is not None and any(param.name.value == name for param in root.function.params)
