"""Watches what stands around training: saved weights, noise, progress bars, loggers."""

from __future__ import annotations

import logging
from typing import Any

import torch

from ..laboratory import SummaryWriter
from ..trace import What
from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    def drawn(*_: Any, **__: Any) -> None:
        """Noise is drawn for each parameter, and told once."""
        if not recorder.trace.marks or recorder.trace.marks[-1].what is not What.NOISE:
            recorder.looked(What.NOISE)
        recorder.expecting = True

    def logged(logger: logging.Logger, message: object, *values: object, **__: Any) -> None:
        if logger.name.startswith("torch"):
            return  # what PyTorch says of itself when it is used for the first time
        for value in values:
            recorder.told(value, str(message).split()[0])

    def scalar(_: object, name: str, value: object, *__: Any, **___: Any) -> None:
        recorder.told(value, name)

    def bar(_: object, *__: Any, total: object = None, **___: Any) -> None:
        recorder.told(total, "bar")

    patches.around(torch, "save", before=lambda *_, **__: recorder.looked(What.SAVE))
    patches.around(torch, "randn_like", before=drawn)
    patches.around(logging.Logger, "info", before=logged)
    patches.around(SummaryWriter, "add_scalar", before=scalar)
    try:
        import tqdm  # type: ignore[import-untyped]
    except ImportError:
        return
    patches.around(tqdm.tqdm, "__init__", before=bar)
