"""Which files can hold a finding at all, told from their bytes; imports nothing."""

from __future__ import annotations

import re

_TRIGGER = re.compile(
    rb"backward\(|scaler\(|\b[NR]?Adam\(|\bAdam as\b|TrainingArguments\(|Trainer\(|def compute_loss|def training_step|no_sync\("
)


def worth_reading(data: bytes) -> bool:
    """Whether the bytes of a file can hold a finding.

    Bytes that are no text are always worth it, so that the reader is told.
    """
    return _TRIGGER.search(data) is not None or b"\0" in data[:1024]


_SUPPRESSION = re.compile(rb"gradlint:\s*ignore|noqa\s*:[^\r\n]*GRD\d")


def mentions_suppression(data: bytes) -> bool:
    """Whether the bytes of a file can hold a suppression comment of ours, which may be unused."""
    return (b"gradlint" in data or b"GRD" in data) and _SUPPRESSION.search(data) is not None
