"""GRD702 trainer-loss-ignores-num-items; the page is rules/GRD702.md."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.edits import Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, unsafe, withheld
from gradlint.model.engines.hugging_face import COUNT, losses_without_count
from gradlint.model.file import TrainingFile
from gradlint.model.syntax.expressions import calls_in, dotted, text, walk
from gradlint.rule import file_rule

_LOSS = re.compile(r"loss_?(fn|fct|func)|criterion|cross_entropy|mean$|Loss$")


@file_rule(
    "GRD702",
    "trainer-loss-ignores-num-items",
    "A Trainer's own loss ignores the number of items in the window",
    severity=Severity.WARNING,
)
def trainer_loss_ignores_num_items(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    for method in losses_without_count(file.statements, facts) if facts is not None else ():
        refusing = facts.page.refuses("forward", COUNT) if facts is not None else None
        fix, note = _pass_on(method, refusing)
        yield Finding(
            at=method.name,
            message="`compute_loss` ignores `num_items_in_batch`",
            reason="it takes a mean per micro-batch, and the Trainer passes the number to scale the loss over the whole window",
            fix=fix,
            note=note,
        )


def _pass_on(method: cst.FunctionDef, refusing: str | None) -> Outcome:
    """Pass the count to the model, whose built-in loss uses it."""
    calls = [c for c in calls_in(method.body) if dotted(c.func) == "model" and any(a.star == "**" for a in c.args)]
    mixed = any(isinstance(node, cst.BinaryOperation) for node in walk(method.body))
    own = any(_LOSS.search(text(call.func)) for call in calls_in(method.body))
    given = any(isinstance(node, cst.Attribute) and node.attr.value == "loss" for node in walk(method.body))
    if len(calls) != 1 or mixed or own or not given or method.params.star_kwarg is not None:
        return withheld("the loss is more than what one call of the model returns")
    if refusing is not None:
        return withheld(f"`{refusing}` takes no `num_items_in_batch`, and would raise")
    edit = Enclose(calls[0].args[-1], "", ", num_items_in_batch=num_items_in_batch")
    return unsafe(
        Fix("Pass the number of items to the model", (edit,)),
        "a `forward` that does not take the number raises a TypeError",
    )
