"""GRD702 trainer-loss-ignores-num-items; the page is rules/GRD702.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.model.syntax import calls_in, last_name, walk
from gradlint.model.types import TrainingFile
from gradlint.rule import file_rule


@file_rule(
    "GRD702",
    "trainer-loss-ignores-num-items",
    "A Trainer's own loss ignores the number of items in the window",
    severity=Severity.WARNING,
)
def trainer_loss_ignores_num_items(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    for statement in file.statements:
        if facts is None or not isinstance(statement, cst.ClassDef):
            continue
        if not any(_is_trainer(facts.qualify(base.value)) for base in statement.bases):
            continue
        for method in statement.body.body:
            if isinstance(method, cst.FunctionDef) and method.name.value == "compute_loss" and _ignores(method):
                yield Finding(
                    at=method.name,
                    message="`compute_loss` takes a mean per micro-batch and ignores `num_items_in_batch`, which the Trainer passes "
                    "to scale the loss over the whole window",
                    note="no fix is offered: sum the loss and divide it by `num_items_in_batch` where that is not None",
                )


def _is_trainer(qualified: str) -> bool:
    return qualified.startswith("transformers.") and qualified.endswith("Trainer")


def _ignores(method: cst.FunctionDef) -> bool:
    names = {node.value for node in walk(method) if isinstance(node, cst.Name)}
    delegates = any(
        isinstance(call.func, cst.Attribute) and isinstance(call.func.value, cst.Call) and last_name(call.func.value.func) == "super"
        for call in calls_in(method.body)
    )
    if delegates:
        return False
    body = {node.value for node in walk(method.body) if isinstance(node, cst.Name)}
    return "num_items_in_batch" not in body and not (method.params.star_kwarg is not None and "kwargs" in body) and bool(names)
