"""gradlint finds and fixes gradient-accumulation bugs in PyTorch training scripts, without running them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlint.api import FixedSource as FixedSource
    from gradlint.api import check_paths as check_paths
    from gradlint.api import check_source as check_source
    from gradlint.api import fix_source as fix_source

__version__ = "0.1.0"
__all__ = ["FixedSource", "__version__", "check_paths", "check_source", "fix_source"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from gradlint import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
