"""The decisions on the way to a call, and whether two ways exclude each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.model.syntax.expressions import known


@dataclass(frozen=True, eq=False)
class Guard:
    """One control-flow decision on the way to an event: an arm of a branch, a loop, a with block, an inlined call.

    Arms of the same branch share `group`. `implied` marks the rest of a suite after `if test: continue`.
    `usual` marks an arm whose other arm leaves early (`if bad: return else: ...`).
    `suite` is the block in which `node` is a statement of its own (None for an `elif`, or inside an expression).
    """

    node: cst.CSTNode
    kind: str
    group: object
    arm: int = 0
    test: cst.BaseExpression | None = None
    frame: object = None
    index: int = 0
    implied: bool = False
    usual: bool = False
    suite: cst.CSTNode | None = None

    @cached_property
    def answers(self) -> dict[tuple[object, str], bool]:
        """What is known on this arm: questions in words that are the same elsewhere in the activation, with their answers."""
        if self.kind != "branch" or self.test is None or not isinstance(self.node, (cst.If, cst.IfExp)):
            return {}
        return {(self.frame, words): truth for words, truth in known(self.test, self.arm == 0)}


Path = tuple[Guard, ...]


def exclusive(a: Path, b: Path) -> bool:
    """True where two paths take different arms of one branch, so that both never run in one iteration."""
    shared = next((place for place, (one, other) in enumerate(zip(a, b, strict=False)) if one is not other), min(len(a), len(b)))
    others = [guard for guard in b[shared:] if guard.kind == "branch"]
    branches = {guard.group: guard for guard in a if guard.kind == "branch"} if others else {}
    if any(guard.group in branches and branches[guard.group].arm != guard.arm for guard in others):
        return True
    # Contradicting answers to the same question, too; what both stand under gives both the same ones.
    answered = [guard.answers for guard in others if guard.group not in branches and guard.answers]
    return any(
        answers.get(question, truth) != truth
        for answers in answered
        for guard in branches.values()
        for question, truth in guard.answers.items()
    )
