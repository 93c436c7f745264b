"""GRD702 trainer-loss-ignores-num-items; the page is rules/GRD702.md."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.engines.hugging_face import delegates, derives_trainer, makes_labels, own_losses, takes_count
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
    own = [each for each in file.statements if facts is not None and derives_trainer(each, facts)]
    collated = bool(own) and makes_labels(file.statements)
    for statement in own:
        for method in own_losses(statement, facts, collated=collated) if facts is not None else ():
            if takes_count(method) and _ignores(method) and not _says_otherwise(statement):
                fix, note = _pass_on(method)
                refusing = facts.page.refuses("forward", "num_items_in_batch") if fix is not None and facts is not None else None
                if refusing is not None:
                    fix, note = withheld(f"`{refusing}` takes no `num_items_in_batch`, and would raise")
                yield Finding(
                    at=method.name,
                    message="`compute_loss` ignores `num_items_in_batch`",
                    reason="it takes a mean per micro-batch, and the Trainer passes the number to scale the loss over the whole window",
                    fix=fix,
                    note=note,
                )


def _says_otherwise(owner: cst.CSTNode) -> bool:
    """The class tells the Trainer itself how its loss is scaled."""
    told = ("model_accepts_loss_kwargs", "loss_is_scaled_for_ga", "compute_loss_func")
    return any(isinstance(node, cst.Name) and node.value in told for node in walk(owner))


def _pass_on(method: cst.FunctionDef) -> Outcome:
    """Give the count to the model, whose own loss knows what to do with it."""
    calls = [c for c in calls_in(method.body) if dotted(c.func) == "model" and any(a.star == "**" for a in c.args)]
    mixed = any(isinstance(node, cst.BinaryOperation) for node in walk(method.body))
    own = any(_LOSS.search(text(call.func)) for call in calls_in(method.body))
    given = any(isinstance(node, cst.Attribute) and node.attr.value == "loss" for node in walk(method.body))
    mixed = mixed or own or not given
    if len(calls) != 1 or mixed or method.params.star_kwarg is not None:
        return withheld("the loss is more than what one call of the model returns")
    edit = Enclose(calls[0].args[-1], "", ", num_items_in_batch=num_items_in_batch")
    return Fix("Pass the number of items to the model", (edit,), Applicability.UNSAFE), None


def _ignores(method: cst.FunctionDef) -> bool:
    if delegates(method):
        return False
    body = {node.value for node in walk(method.body) if isinstance(node, cst.Name)}
    return "num_items_in_batch" not in body and not (method.params.star_kwarg is not None and "kwargs" in body)
