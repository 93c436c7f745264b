"""GRD701 max-steps-in-micro-batches; the page is rules/GRD701.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.lengths import in_micro_batches
from gradlint.model.file import TrainingFile
from gradlint.model.syntax.expressions import keywords, last_name, literal, text
from gradlint.rule import file_rule

_WINDOW = {"Trainer": "accumulate_grad_batches", "TrainingArguments": "gradient_accumulation_steps"}


@file_rule(
    "GRD701",
    "max-steps-in-micro-batches",
    "`max_steps` counts optimizer steps, but is computed from the number of micro-batches",
    severity=Severity.WARNING,
)
def max_steps_in_micro_batches(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    if facts is None or not any(name.endswith(tuple(_WINDOW)) for name in facts.called):
        return
    for statement in file.statements:
        for call in facts.tree.calls(statement):
            setting = _WINDOW.get((last_name(call.func) or "").replace("Seq2Seq", ""))
            given = keywords(call) if setting is not None else {}
            window, steps = given.get(setting or ""), given.get("max_steps")
            if window is None or steps is None or literal(window) in (1, None):
                continue
            found = in_micro_batches(steps, window, statement, file)
            if found is None:
                continue
            length, (fix, note) = found
            yield Finding(
                at=steps,
                message="`max_steps` counts micro-batches instead of optimizer steps",
                reason=f"`{text(steps)}` counts the micro-batches of `{text(length)}`, but the optimizer steps once every "
                f"`{text(window)}`: training runs N times too long",
                related=((window, "the window is set here"),),
                fix=fix,
                note=note,
            )
