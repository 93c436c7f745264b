"""Imports LibCST without what only its own tools need, which costs a tenth of the time that the import takes."""

from __future__ import annotations

import sys
from types import ModuleType

_TOOLS = "libcst.metadata"


def import_parser() -> None:
    """Import LibCST where nobody has; its package of tools stays one that is imported when somebody asks for it.

    LibCST imports two modules of that package, and with them by its `__init__` all others.
    """
    if "libcst" in sys.modules or _TOOLS in sys.modules:
        return
    from importlib.util import find_spec

    spec = find_spec("libcst")
    stand_in = ModuleType(_TOOLS)
    stand_in.__path__ = [f"{place}/metadata" for place in (spec.submodule_search_locations or ())] if spec is not None else []
    sys.modules[_TOOLS] = stand_in
    try:
        import libcst  # noqa: F401
    finally:
        del sys.modules[_TOOLS]
