"""The rows of a survey, as plain data that every scheduler can carry."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

REPOSITORY = "repository"
FINDING = "finding"
VERDICT = "verdict"
FAILURE = "failure"
DONE = "done"


@dataclass(frozen=True)
class Row:
    """One row. `kind` says what it is about.

    A `finding` has a rule and a place. A `verdict` has the place of a training loop, and in `verdict` its answer: verified, wrong
    or unknown, with the reason as the message. A `failure` is a file that gradlint could not check. Every repository has exactly
    one row of the kind `repository`: its `state` is "done", or says why the check ended early, with the message.

    `n` is the accumulation steps that the code sets, 1 if the loop does not accumulate, and 0 if unknown. `engine` is the library
    that runs the backward pass or the update. `fixable` is "safe", "unsafe" or "no". `memory` is the peak in MiB.
    """

    repository: str
    kind: str
    commit: str = ""
    path: str = ""
    cell: int = 0
    line: int = 0
    rule: str = ""
    severity: str = ""
    fixable: str = ""
    verdict: str = ""
    message: str = ""
    n: int = 0
    engine: str = ""
    state: str = ""
    files: int = 0
    seconds: float = 0.0
    memory: int = 0
    checked_at: str = ""
    gradlint: str = ""


NAMES = tuple(each.name for each in fields(Row))
TYPES = {"int": int, "float": float, "str": str}
KINDS = {each.name: TYPES[str(each.type)] for each in fields(Row)}
"""The Python type of each column."""


def plain(row: Row) -> dict[str, Any]:
    """Return a row as a dictionary without surrogates, which represent bytes of file names that are not UTF-8."""
    return {name: _clean(value) if isinstance(value, str) else value for name, value in asdict(row).items()}


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
