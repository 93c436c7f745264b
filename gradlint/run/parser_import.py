"""Imports LibCST without what only its tools need, which saves a tenth of the import time."""

from __future__ import annotations

import sys
from types import ModuleType

_TOOLS = "libcst.metadata"


def import_parser() -> None:
    """Import LibCST if nobody has. Its package of tools is still imported when it is used.

    LibCST imports two modules of that package, whose `__init__` would import all the others.
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
