"""What a name refers to at a place."""

from __future__ import annotations

import builtins
from typing import Any

from gradlint.simulate.callables import External, Frame
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import PATH, Opaque

CONSTANTS = {"True": True, "False": False, "None": None, "__debug__": True, "__name__": "__main__", "NotImplemented": None}
_SHORT = {"np": "numpy", "torch": "torch", "nn": "torch.nn"}
"""Usual names of packages, for names that come from a star import."""
_BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_"))


def load(frame: Frame, name: str) -> Any:
    """The value of a name: bound here or in an outer scope, a builtin, or unknown."""
    if name in CONSTANTS:
        return CONSTANTS[name]
    found, value = frame.lookup(name)
    if found:
        return value
    if name in _BUILTINS:
        return External(f"builtins.{name}")
    if name in _SHORT:
        return External(_SHORT[name])
    if name == "__file__":
        return Opaque(name, kept={PATH: frame.module.origin})
    value = unknown(frame.machine, name)
    frame.machine.risks.add(f"`{name}` may have no value where it is read")
    frame.module.names[name] = value
    return value
