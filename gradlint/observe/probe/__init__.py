"""The part of `gradlint observe` that runs in the watched program. It imports only the standard library and PyTorch.

It is loaded by its path, under a private name, so its modules import each other relatively.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .limits import Limits


def arm() -> None:
    """Watch this process as soon as it has imported PyTorch, as the environment of the process asks."""
    from .arming import when_imported
    from .limits import ARMED, Limits

    limits = Limits.of_environment(os.environ)
    (Path(limits.folder) / ARMED).touch()
    when_imported("torch", lambda: _watch(limits))


def _watch(limits: Limits) -> None:
    from .limits import IMPORTED
    from .watching import watch

    (Path(limits.folder) / IMPORTED).touch()
    watch(limits)
