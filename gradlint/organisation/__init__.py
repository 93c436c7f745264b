"""Surveys the repositories of an organisation: checks each in a separate process, and collects findings and verdicts.

`survey` needs the extra `organisation`. The worker function `check_repository` also runs under Ray and Spark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlint.organisation.survey import survey as survey
    from gradlint.organisation.worker import Limits as Limits
    from gradlint.organisation.worker import check_repository as check_repository

_HOMES = {
    "Limits": "gradlint.organisation.worker",
    "check_repository": "gradlint.organisation.worker",
    "survey": "gradlint.organisation.survey",
}
__all__ = ["Limits", "check_repository", "survey"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
