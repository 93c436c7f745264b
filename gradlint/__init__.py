"""gradlint finds and fixes gradient-accumulation bugs in PyTorch training scripts, without running them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlint.api import CheckFailed as CheckFailed
    from gradlint.api import FixedSource as FixedSource
    from gradlint.api import check_paths as check_paths
    from gradlint.api import check_source as check_source
    from gradlint.api import fix_source as fix_source
    from gradlint.api import judge_paths as judge_paths
    from gradlint.api import judge_source as judge_source
    from gradlint.config.load import ConfigError as ConfigError
    from gradlint.config.selection import UnknownRule as UnknownRule
    from gradlint.diagnostic import Applicability as Applicability
    from gradlint.diagnostic import Diagnostic as Diagnostic
    from gradlint.diagnostic import LoopVerdict as LoopVerdict
    from gradlint.diagnostic import Place as Place
    from gradlint.diagnostic import Related as Related
    from gradlint.diagnostic import Severity as Severity
    from gradlint.diagnostic import Span as Span
    from gradlint.diagnostic import TextEdit as TextEdit
    from gradlint.diagnostic import TextFix as TextFix

__version__ = "0.1.0"
_HOMES = {
    "gradlint.api": ("CheckFailed", "FixedSource", "check_paths", "check_source", "fix_source", "judge_paths", "judge_source"),
    "gradlint.config.load": ("ConfigError",),
    "gradlint.diagnostic": (
        "Applicability",
        "Diagnostic",
        "LoopVerdict",
        "Place",
        "Related",
        "Severity",
        "Span",
        "TextEdit",
        "TextFix",
    ),
    "gradlint.config.selection": ("UnknownRule",),
}
"""The module of each public name, which is imported on demand."""
__all__ = [
    "Applicability",
    "CheckFailed",
    "ConfigError",
    "Diagnostic",
    "FixedSource",
    "LoopVerdict",
    "Place",
    "Related",
    "Severity",
    "Span",
    "TextEdit",
    "TextFix",
    "UnknownRule",
    "__version__",
    "check_paths",
    "check_source",
    "fix_source",
    "judge_paths",
    "judge_source",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
