"""Silences warnings by Python's parser about the checked code, even if several threads check at once."""

from __future__ import annotations

import threading
import warnings
from types import TracebackType


class Quiet:
    """Silences warnings until it has been exited as often as it was entered, in any number of threads.

    The filters belong to the whole process. With `warnings.catch_warnings`, two threads could restore them in the wrong order,
    and warnings would stay off for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(kind, error, trace)
