"""GRD704 warmup-in-micro-batches; the page is rules/GRD704.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.lengths import in_micro_batches
from gradlint.model.file import TrainingFile
from gradlint.model.syntax.expressions import keywords, last_name, literal, text
from gradlint.rule import file_rule

_ARGUMENTS = ("TrainingArguments", "Seq2SeqTrainingArguments")


@file_rule(
    "GRD704",
    "warmup-in-micro-batches",
    "`warmup_steps` counts optimizer steps, but is computed from the number of micro-batches",
    severity=Severity.WARNING,
)
def warmup_in_micro_batches(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    if facts is None or not any(name.endswith("TrainingArguments") for name in facts.called):
        return
    for statement in file.statements:
        for call in facts.tree.calls(statement):
            given = keywords(call) if last_name(call.func) in _ARGUMENTS else {}
            window, steps = given.get("gradient_accumulation_steps"), given.get("warmup_steps")
            if window is None or steps is None or literal(window) in (1, None):
                continue
            found = in_micro_batches(steps, window, statement, file)
            if found is None:
                continue
            length, (fix, note) = found
            yield Finding(
                at=steps,
                message="`warmup_steps` counts micro-batches instead of optimizer steps",
                reason=f"`{text(steps)}` counts the micro-batches of `{text(length)}`, but the optimizer steps once every "
                f"`{text(window)}`: the warm-up lasts N times too long",
                related=((window, "the window is set here"),),
                fix=fix,
                note=note,
            )
