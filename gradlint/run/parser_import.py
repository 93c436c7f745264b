"""Imports LibCST without what only its tools need, and without methods that it throws away, which saves a fifth of the import time."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

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
        with lean_data_classes():
            import libcst  # noqa: F401
    finally:
        del sys.modules[_TOOLS]


@contextmanager
def lean_data_classes() -> Iterator[None]:
    """Let data classes that are defined meanwhile compile no `__repr__` and no `__eq__` if they have their own.

    `dataclass` compiles both and then keeps the class's own. LibCST has two hundred classes of nodes, each with its own.
    """
    usual = dataclasses.dataclass

    def lean(cls: type | None = None, /, **options: Any) -> Callable[[type], type] | type:
        if cls is None:
            return lambda each: lean(each, **options)  # type: ignore[return-value]
        own = vars(cls)
        return usual(**{"repr": "__repr__" not in own, "eq": "__eq__" not in own, **options})(cls)

    dataclasses.dataclass = lean  # type: ignore[assignment]
    try:
        yield
    finally:
        dataclasses.dataclass = usual
